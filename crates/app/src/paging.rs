//! Listings, page by page. Where the next page starts is told by an opaque text.

use engine::{PhoneNumber, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::records::{Page, Rows};
use uuid::Uuid;

use crate::AppError;

/// Items in a page if the caller does not say.
pub const PAGE_ITEMS_DEFAULT: u32 = 100;
/// Items in a page at most.
pub const PAGE_ITEMS_MAX: u32 = store::records::PAGE_ROWS_MAX;

/// Which page of a listing is wanted.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// [`Listing::next`] of the page before; none for the first.
    pub after: Option<String>,
    /// How many items, 1 to [`PAGE_ITEMS_MAX`]; [`PAGE_ITEMS_DEFAULT`] if none.
    pub limit: Option<u32>,
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct Listing<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// To be given as `after` for the next page; null if this is the last one.
    pub next: Option<String>,
}

/// A place in a listing that can be told to callers and read back.
pub(crate) trait Cursor: Sized {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl PageRequest {
    /// # Errors
    /// The limit is out of range, or `after` did not come from this listing.
    pub(crate) fn read<C: Cursor>(&self) -> Result<Page<C>, AppError> {
        let limit = self.limit.unwrap_or(PAGE_ITEMS_DEFAULT);
        if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
            let message = format!("a page has 1 to {PAGE_ITEMS_MAX} items");
            return Err(AppError::invalid("bad_limit", "limit", message));
        }
        let bad = || AppError::invalid("bad_cursor", "after", "give 'next' of the page before as it is");
        let after = self.after.as_deref().map(|text| C::read(text).ok_or_else(bad)).transpose()?;
        Ok(Page { after, limit })
    }
}

impl<T> Listing<T> {
    pub(crate) fn of<R, C: Cursor>(rows: Rows<R, C>, item: impl FnMut(R) -> T) -> Self {
        Self {
            items: rows.rows.into_iter().map(item).collect(),
            next: rows.next.map(|cursor| cursor.write()),
        }
    }

    /// As [`Self::of`], where an item may turn out to be unreadable.
    pub(crate) fn try_of<R, C: Cursor, E>(
        rows: Rows<R, C>,
        item: impl FnMut(R) -> Result<T, E>,
    ) -> Result<Self, E> {
        let items = rows.rows.into_iter().map(item).collect::<Result<_, _>>()?;
        Ok(Self { items, next: rows.next.map(|cursor| cursor.write()) })
    }
}

impl Cursor for Uuid {
    fn write(&self) -> String {
        self.simple().to_string()
    }
    fn read(text: &str) -> Option<Self> {
        Self::parse_str(text).ok()
    }
}

macro_rules! id_cursors {
    ($($id:ident),+) => {$(
        impl Cursor for engine::$id {
            fn write(&self) -> String {
                self.0.write()
            }
            fn read(text: &str) -> Option<Self> {
                Uuid::read(text).map(Self)
            }
        }

        impl Cursor for (Time, engine::$id) {
            fn write(&self) -> String {
                (self.0, self.1.0).write()
            }
            fn read(text: &str) -> Option<Self> {
                <(Time, Uuid)>::read(text).map(|(at, id)| (at, engine::$id(id)))
            }
        }
    )+};
}

id_cursors!(TenantId, ContactId, AttemptId, ImportId, CallbackId);

impl Cursor for (Time, Uuid) {
    fn write(&self) -> String {
        format!("{}.{}", self.0.as_micros(), self.1.simple())
    }
    fn read(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('.')?;
        Some((Time::from_micros(micros.parse().ok()?), Uuid::read(id)?))
    }
}

impl Cursor for PhoneNumber {
    fn write(&self) -> String {
        self.digits().to_string()
    }
    fn read(text: &str) -> Option<Self> {
        Self::from_digits(text.parse().ok()?).ok()
    }
}

/// A key of the caller's own, such as an external id: kept from looking like anything else by its prefix.
impl Cursor for String {
    fn write(&self) -> String {
        format!("k{self}")
    }
    fn read(text: &str) -> Option<Self> {
        text.strip_prefix('k').map(str::to_owned)
    }
}

impl Cursor for i64 {
    fn write(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Cursor for u64 {
    fn write(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_from_its_text() {
        let id = Uuid::from_u128(77);
        assert_eq!(Uuid::read(&id.write()), Some(id));
        let place = (Time::from_micros(-5), id);
        assert_eq!(<(Time, Uuid)>::read(&place.write()), Some(place));
        assert_eq!(String::read(&"a.b".to_owned().write()).as_deref(), Some("a.b"));
    }

    #[test]
    fn what_is_no_cursor_or_limit_is_refused() {
        let page =
            |after: &str, limit| PageRequest { after: Some(after.into()), limit: Some(limit) }.read::<Uuid>();
        assert_eq!(page("nonsense", 10).unwrap_err().code(), "bad_cursor");
        assert_eq!(page("", 0).unwrap_err().code(), "bad_limit");
        assert_eq!(page("", PAGE_ITEMS_MAX + 1).unwrap_err().code(), "bad_limit");
    }
}
