//! Source maps: how the columns of a file become the parts of a contact.

use std::fmt;

use csv::StringRecord;
use engine::PhoneKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::field::{FieldName, is_date_format};
use crate::raw::{RawContact, RawPhone, RawText, RawWindow, TextFormat};
use crate::read::{Encoding, FileFormat, ReadOptions, Row, RowContent};
use crate::record_error::{RecordError, RecordErrorCode};

mod compact;
mod guess;

pub use compact::CompactError;

/// How the columns of a source become contacts. Columns that it does not name are passed over.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceMap {
    /// The columns that are used. One column may serve several targets.
    pub columns: Vec<ColumnMapping>,
    /// Whether decimal numbers are written with a comma.
    #[serde(default)]
    pub decimal_comma: bool,
    /// Pattern of dates where a column names none (`strftime`, such as `%d/%m/%Y`); ISO 8601 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_format: Option<String>,
    /// What stands between two cells; guessed without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// How the characters are written; guessed without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// What one column is used for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnMapping {
    /// The column's heading; case and white space around it do not count.
    pub column: String,
    /// What it becomes.
    pub target: Target,
    /// Pattern of the dates in this column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_format: Option<String>,
}

/// What a column becomes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// What the source calls the contact.
    ExternalId,
    /// A number.
    Phone {
        /// Which phone: the lowest is tried first.
        order: u8,
        /// What kind of line the numbers of this column are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<PhoneKind>,
    },
    /// What kind of line a phone is.
    PhoneKind {
        /// Which phone.
        order: u8,
    },
    /// A phone's cap on attempts.
    PhoneAttemptsMax {
        /// Which phone.
        order: u8,
    },
    /// The number to show when a phone is called.
    PhoneCallerId {
        /// Which phone.
        order: u8,
    },
    /// First minute of the day in which a phone may be called.
    PhoneWindowFrom {
        /// Which phone.
        order: u8,
    },
    /// First minute of the day in which a phone may no longer be called.
    PhoneWindowUntil {
        /// Which phone.
        order: u8,
    },
    /// The contact's own time zone.
    Zone,
    /// Its priority.
    Priority,
    /// Not called before this.
    NotBefore,
    /// Not called from this on.
    ExpiresAt,
    /// The agent who should get the call.
    PreferredAgent,
    /// A contact field of the campaign.
    Field {
        /// Its name.
        name: FieldName,
    },
    /// Nothing; the column is known and not wanted.
    Ignore,
}

/// Why a source map does not fit a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Columns that the map names and the file does not have.
    #[error("the file has no column {}; its columns are {}", quoted(.missing), quoted(.headings))]
    MissingColumns {
        /// The columns that are missing.
        missing: Vec<String>,
        /// The columns that the file has.
        headings: Vec<String>,
    },
    /// A heading that the map names stands above several columns of the file.
    #[error("the file has more than one column '{0}': rename all but one")]
    AmbiguousColumn(String),
    /// Two columns for one target.
    #[error("two columns are mapped to {0}: keep one")]
    TargetTwice(String),
    /// A phone's attribute without its number.
    #[error("phone{0} has attributes and no number: map a column to phone{0}")]
    PhoneWithoutNumber(u8),
    /// No column for the external id.
    #[error("no column is mapped to external_id: map the one that holds the source's own key")]
    NoExternalId,
    /// No column for a number.
    #[error("no column is mapped to a phone: map one to phone1")]
    NoPhone,
    /// A pattern that is no date.
    #[error("'{0}' is not a date format: write it with %Y, %m and %d, such as %d/%m/%Y")]
    BadDateFormat(String),
}

/// A source map whose columns were found in a file.
#[derive(Clone, Debug)]
pub struct BoundMap {
    singles: Vec<(Single, Cell)>,
    phones: Vec<BoundPhone>,
    fields: Vec<(FieldName, Cell)>,
    decimal_comma: bool,
}

/// A target of which a contact has one.
#[derive(Clone, Copy, Debug)]
enum Single {
    ExternalId,
    Zone,
    Priority,
    NotBefore,
    ExpiresAt,
    PreferredAgent,
}

/// Where a value is found and how it is read.
#[derive(Clone, Debug)]
struct Cell {
    index: usize,
    date_format: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct BoundPhone {
    order: u8,
    number: Option<usize>,
    fixed_kind: Option<PhoneKind>,
    kind: Option<usize>,
    attempts_max: Option<usize>,
    caller_id: Option<usize>,
    window_from: Option<usize>,
    window_until: Option<usize>,
}

impl SourceMap {
    /// How a file under this map is to be opened.
    pub fn read_options(&self) -> ReadOptions {
        let format = self.delimiter.map(|delimiter| FileFormat::Csv { delimiter });
        ReadOptions { format, encoding: self.encoding }
    }

    /// The columns that it names, each once: what a table made for it has as headings.
    pub fn headings(&self) -> Vec<String> {
        let mut headings: Vec<String> = Vec::new();
        for mapping in &self.columns {
            let key = heading_key(&mapping.column);
            if !headings.iter().any(|heading| heading_key(heading) == key) {
                headings.push(mapping.column.clone());
            }
        }
        headings
    }

    /// An object as a row of a table with [`Self::headings`]; keys are found whatever their case, and those that the map
    /// does not name are passed over.
    ///
    /// # Errors
    /// A value under a column of the map is a list or an object.
    pub fn row_of(&self, number: u64, object: &Map<String, Value>) -> Result<Row, RecordError> {
        let mut cells = StringRecord::new();
        for heading in self.headings() {
            let key = heading_key(&heading);
            let value = object
                .get(&heading)
                .or_else(|| object.iter().find(|(name, _)| heading_key(name) == key).map(|(_, value)| value));
            match value {
                None | Some(Value::Null) => cells.push_field(""),
                Some(Value::String(text)) => cells.push_field(text),
                Some(Value::Bool(value)) => cells.push_field(&value.to_string()),
                Some(Value::Number(value)) => cells.push_field(&value.to_string()),
                Some(Value::Array(_) | Value::Object(_)) => {
                    let message = "a list or an object: give a text, a number or a truth value";
                    return Err(RecordError::in_field(RecordErrorCode::BadFieldValue, heading, message));
                }
            }
        }
        Ok(Row { number, content: RowContent::Cells(cells) })
    }

    /// Finds the columns in a file's headings.
    ///
    /// # Errors
    /// The map and the file do not fit, or the map is not whole.
    pub fn bind(&self, headings: &[String]) -> Result<BoundMap, MapError> {
        self.check_targets()?;
        let cells = self.cells(headings)?;
        let mut bound =
            BoundMap { singles: vec![], phones: vec![], fields: vec![], decimal_comma: self.decimal_comma };
        for (mapping, cell) in self.columns.iter().zip(cells) {
            bound.add(&mapping.target, cell);
        }
        bound.phones.sort_by_key(|phone| phone.order);
        if let Some(phone) = bound.phones.iter().find(|phone| phone.number.is_none()) {
            return Err(MapError::PhoneWithoutNumber(phone.order));
        }
        if bound.phones.is_empty() {
            return Err(MapError::NoPhone);
        }
        Ok(bound)
    }

    fn check_targets(&self) -> Result<(), MapError> {
        let formats = self.columns.iter().filter_map(|mapping| mapping.date_format.as_ref());
        if let Some(format) = formats.chain(&self.date_format).find(|format| !is_date_format(format)) {
            return Err(MapError::BadDateFormat(format.clone()));
        }
        for (index, mapping) in self.columns.iter().enumerate() {
            let twice =
                self.columns[..index].iter().any(|earlier| earlier.target.is_same_as(&mapping.target));
            if twice && mapping.target != Target::Ignore {
                return Err(MapError::TargetTwice(mapping.target.to_string()));
            }
        }
        if !self.columns.iter().any(|mapping| mapping.target == Target::ExternalId) {
            return Err(MapError::NoExternalId);
        }
        Ok(())
    }

    /// The place of each mapped column.
    fn cells(&self, headings: &[String]) -> Result<Vec<Cell>, MapError> {
        let known: Vec<String> = headings.iter().map(|heading| heading_key(heading)).collect();
        let (mut cells, mut missing) = (Vec::new(), Vec::new());
        for mapping in &self.columns {
            let key = heading_key(&mapping.column);
            let mut places = (0..known.len()).filter(|index| known[*index] == key);
            let index = match (places.next(), places.next()) {
                (Some(index), None) => index,
                (Some(_), Some(_)) if mapping.target != Target::Ignore => {
                    return Err(MapError::AmbiguousColumn(mapping.column.clone()));
                }
                (None, _) if mapping.target != Target::Ignore => {
                    missing.push(mapping.column.clone());
                    continue;
                }
                // A column that is not wanted may be missing or be there twice.
                _ => 0,
            };
            let date_format = mapping.date_format.clone().or_else(|| self.date_format.clone());
            cells.push(Cell { index, date_format });
        }
        if missing.is_empty() {
            Ok(cells)
        } else {
            Err(MapError::MissingColumns { missing, headings: headings.to_vec() })
        }
    }
}

impl Target {
    fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Phone { order, .. }, Self::Phone { order: other, .. }) => order == other,
            _ => self == other,
        }
    }
}

/// The target as the compact form writes it (`phone1:mobile`, `phone1.caller_id`, `field.city`).
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExternalId => f.write_str("external_id"),
            Self::Phone { order, kind: None } => write!(f, "phone{order}"),
            Self::Phone { order, kind: Some(kind) } => write!(f, "phone{order}:{}", kind_word(*kind)),
            Self::PhoneKind { order } => write!(f, "phone{order}.kind"),
            Self::PhoneAttemptsMax { order } => write!(f, "phone{order}.attempts_max"),
            Self::PhoneCallerId { order } => write!(f, "phone{order}.caller_id"),
            Self::PhoneWindowFrom { order } => write!(f, "phone{order}.window_from"),
            Self::PhoneWindowUntil { order } => write!(f, "phone{order}.window_until"),
            Self::Zone => f.write_str("zone"),
            Self::Priority => f.write_str("priority"),
            Self::NotBefore => f.write_str("not_before"),
            Self::ExpiresAt => f.write_str("expires_at"),
            Self::PreferredAgent => f.write_str("preferred_agent"),
            Self::Field { name } => write!(f, "field.{name}"),
            Self::Ignore => f.write_str("ignore"),
        }
    }
}

impl BoundMap {
    /// The contact that a row describes; empty cells are left out.
    pub fn raw_contact<'a>(&'a self, cells: &'a StringRecord) -> RawContact<'a> {
        let text = |index: usize| {
            cells.get(index).filter(|text| !text.trim().is_empty()).map(|text| RawText {
                text: text.into(),
                format: TextFormat { date_format: None, decimal_comma: self.decimal_comma },
            })
        };
        let dated = |cell: &'a Cell| {
            text(cell.index).map(|mut text| {
                text.format.date_format = cell.date_format.as_deref();
                text
            })
        };
        let mut contact = RawContact::default();
        for (single, cell) in &self.singles {
            let place = match single {
                Single::ExternalId => &mut contact.external_id,
                Single::Zone => &mut contact.zone,
                Single::Priority => &mut contact.priority,
                Single::NotBefore => &mut contact.not_before,
                Single::ExpiresAt => &mut contact.expires_at,
                Single::PreferredAgent => &mut contact.preferred_agent,
            };
            *place = dated(cell);
        }
        contact.phones = self.phones.iter().filter_map(|phone| phone.raw(text)).collect();
        contact.fields = self
            .fields
            .iter()
            .filter_map(|(name, cell)| Some((name.as_str().into(), dated(cell)?)))
            .collect();
        contact
    }

    fn add(&mut self, target: &Target, cell: Cell) {
        let index = Some(cell.index);
        match target {
            Target::ExternalId => self.singles.push((Single::ExternalId, cell)),
            Target::Zone => self.singles.push((Single::Zone, cell)),
            Target::Priority => self.singles.push((Single::Priority, cell)),
            Target::NotBefore => self.singles.push((Single::NotBefore, cell)),
            Target::ExpiresAt => self.singles.push((Single::ExpiresAt, cell)),
            Target::PreferredAgent => self.singles.push((Single::PreferredAgent, cell)),
            Target::Field { name } => self.fields.push((name.clone(), cell)),
            Target::Ignore => {}
            Target::Phone { order, kind } => {
                let phone = self.phone(*order);
                (phone.number, phone.fixed_kind) = (index, *kind);
            }
            Target::PhoneKind { order } => self.phone(*order).kind = index,
            Target::PhoneAttemptsMax { order } => self.phone(*order).attempts_max = index,
            Target::PhoneCallerId { order } => self.phone(*order).caller_id = index,
            Target::PhoneWindowFrom { order } => self.phone(*order).window_from = index,
            Target::PhoneWindowUntil { order } => self.phone(*order).window_until = index,
        }
    }

    fn phone(&mut self, order: u8) -> &mut BoundPhone {
        let place = match self.phones.iter().position(|phone| phone.order == order) {
            Some(place) => place,
            None => {
                self.phones.push(BoundPhone { order, ..BoundPhone::default() });
                self.phones.len() - 1
            }
        };
        &mut self.phones[place]
    }
}

impl BoundPhone {
    fn raw<'a>(&self, text: impl Fn(usize) -> Option<RawText<'a>>) -> Option<RawPhone<'a>> {
        let number = self.number.and_then(&text)?;
        let cell = |index: Option<usize>| index.and_then(&text);
        let window = RawWindow { from: cell(self.window_from), until: cell(self.window_until) };
        Some(RawPhone {
            number,
            kind: cell(self.kind).or_else(|| self.fixed_kind.map(|kind| RawText::new(kind_word(kind)))),
            attempts_max: cell(self.attempts_max),
            caller_id: cell(self.caller_id),
            window: (window.from.is_some() || window.until.is_some()).then_some(window),
            order: self.order,
        })
    }
}

/// The word for a kind of line, as in its JSON form.
fn kind_word(kind: PhoneKind) -> &'static str {
    match kind {
        PhoneKind::Unknown => "unknown",
        PhoneKind::Home => "home",
        PhoneKind::Work => "work",
        PhoneKind::Mobile => "mobile",
        PhoneKind::Other => "other",
    }
}

fn heading_key(heading: &str) -> String {
    heading.trim().to_lowercase()
}

fn quoted(columns: &[String]) -> String {
    columns.iter().map(|column| format!("'{column}'")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
