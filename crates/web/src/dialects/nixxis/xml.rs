//! The `<contextdata>` document: read without a DTD, without entities but XML's own five, and with limits; written with
//! everything escaped.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Bytes of a document at most.
pub(super) const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Elements in a document at most.
const ELEMENTS_MAX: usize = 1000;

/// What a document says: the elements of its two parts, in order; none stands for `xsi:nil="true"`.
#[derive(Clone, Default, PartialEq)]
pub struct ContextData {
    /// The campaign's own fields.
    pub campaign: Vec<(String, Option<String>)>,
    /// What the dialler knows.
    pub system: Vec<(String, Option<String>)>,
}

impl ContextData {
    /// A system element's text; none if it is not there, nil or empty.
    pub(super) fn system(&self, name: &str) -> Option<&str> {
        let (_, text) = self.system.iter().find(|(known, _)| known == name)?;
        text.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }
}

/// What is wrong with a document: a code, the element's path, a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDocument {
    /// Stable.
    pub code: &'static str,
    /// Where: `/contextdata/systemdata/State`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl BadDocument {
    pub(super) fn new(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, path: path.into(), message: message.into() }
    }
}

/// Reads a document.
///
/// # Errors
/// It is no XML of this form, or larger than is allowed.
pub fn read(bytes: &[u8]) -> Result<ContextData, BadDocument> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the document is larger than {DOCUMENT_BYTES_MAX} bytes");
        return Err(BadDocument::new("too_large", "/", message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("the byte at {} is not UTF-8: send the document in UTF-8", error.valid_up_to());
        BadDocument::new("bad_encoding", "/", message)
    })?;
    let mut reading = Reading::default();
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|error| {
            let message = format!("not well-formed at byte {at}: {error}");
            BadDocument::new("bad_xml", reading.path(), message)
        })?;
        if matches!(event, Event::Eof) {
            return reading.finish();
        }
        reading.take(event)?;
    }
}

/// Whether an element may be called so, its prefix left out: XML 1.0 (fifth edition), productions 4 and 5. The reader takes
/// whatever stands up to the next space.
fn is_name(text: &str) -> bool {
    let begins = |c: char| {
        c.is_ascii_alphabetic()
            || matches!(c, '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
                | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}' | '\u{200d}'
                | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
                | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let goes_on = |c: char| {
        begins(c)
            || c.is_ascii_digit()
            || matches!(c, '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}')
    };
    let mut characters = text.chars();
    characters.next().is_some_and(begins) && characters.all(goes_on)
}

/// The elements that are open, and what was read.
#[derive(Default)]
struct Reading {
    open: Vec<String>,
    elements: usize,
    text: String,
    is_nil: bool,
    has_root: bool,
    data: ContextData,
}

impl Reading {
    fn path(&self) -> String {
        format!("/{}", self.open.join("/"))
    }

    fn bad(&self, code: &'static str, message: impl Into<String>) -> BadDocument {
        BadDocument::new(code, self.path(), message)
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), BadDocument> {
        match event {
            Event::Start(start) => self.open(&start),
            Event::Empty(start) => {
                self.open(&start)?;
                self.close()
            }
            Event::End(_) => self.close(),
            Event::Text(text) => self.add_text(&text),
            Event::CData(data) => self.add_text(&data),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(character)) => self.add_text(character.encode_utf8(&mut [0; 4])),
                _ => match quick_xml::escape::resolve_xml_entity(&reference) {
                    Some(text) => self.add_text(text),
                    None => {
                        let message = format!("the entity '{}' is not one of XML's own five", &*reference);
                        Err(self.bad("bad_xml", message))
                    }
                },
            },
            Event::DocType(_) => {
                Err(self.bad("doctype_forbidden", "a document type is not taken: leave it out"))
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), BadDocument> {
        let name = start.local_name().as_ref().to_owned();
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(self.bad("too_large", format!("more than {ELEMENTS_MAX} elements")));
        }
        if !is_name(&name) {
            return Err(
                self.bad("bad_xml", "an element here has no XML name: letters, digits, '-', '_', '.'")
            );
        }
        let part = self.open.last().map(String::as_str);
        let fits = match self.open.len() {
            0 => name == "contextdata" && !self.has_root,
            1 => name == "campaigndata" || name == "systemdata",
            2 => true,
            _ => false,
        };
        if !fits {
            let wanted = match part {
                None => "one element <contextdata>",
                Some("contextdata") => "<campaigndata> and <systemdata>",
                Some(_) => "text and no further elements",
            };
            self.open.push(name);
            return Err(self.bad("unexpected_element", format!("here stands {wanted}")));
        }
        self.has_root = true;
        self.is_nil = start.attributes().filter_map(Result::ok).any(|attribute| {
            attribute.key.local_name().as_ref() == "nil" && matches!(attribute.value.as_ref(), "true" | "1")
        });
        self.text.clear();
        self.open.push(name);
        Ok(())
    }

    fn add_text(&mut self, text: &str) -> Result<(), BadDocument> {
        if self.open.len() < 3 {
            return match text.trim().is_empty() {
                true => Ok(()),
                false => Err(self.bad("unexpected_text", "text stands within the fields only")),
            };
        }
        self.text.push_str(text);
        Ok(())
    }

    fn close(&mut self) -> Result<(), BadDocument> {
        if let [_, part, name] = self.open.as_slice() {
            let text = (!self.is_nil).then(|| std::mem::take(&mut self.text));
            let list = if part == "campaigndata" { &mut self.data.campaign } else { &mut self.data.system };
            if list.iter().any(|(known, _)| known == name) {
                return Err(BadDocument::new("named_twice", self.path(), "this element is there twice"));
            }
            list.push((name.clone(), text));
            self.is_nil = false;
        }
        self.open.pop();
        Ok(())
    }

    fn finish(self) -> Result<ContextData, BadDocument> {
        if !self.open.is_empty() {
            return Err(self.bad("bad_xml", "the document ends before this element does"));
        }
        if !self.has_root {
            return Err(self.bad("bad_xml", "the document has no <contextdata>"));
        }
        Ok(self.data)
    }
}

/// A text as it stands in XML. Control characters that XML 1.0 cannot hold become `U+FFFD`.
pub(super) fn escaped(text: &str) -> String {
    let holdable = |character: char| match character {
        '\t' | '\n' | '\r' => character,
        character if character.is_control() => '\u{fffd}',
        character => character,
    };
    let text: String = text.chars().map(holdable).collect();
    quick_xml::escape::escape(text).into_owned()
}

/// Writes one document, without the declaration.
pub(crate) fn write(data: &ContextData) -> String {
    let mut out = String::from("<contextdata>");
    for (part, elements) in [("campaigndata", &data.campaign), ("systemdata", &data.system)] {
        out.push_str(&match part {
            "systemdata" => {
                format!("<{part} xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">")
            }
            _ => format!("<{part}>"),
        });
        for (name, text) in elements {
            match text {
                Some(text) => out.push_str(&format!("<{name}>{}</{name}>", escaped(text))),
                None => out.push_str(&format!("<{name} xsi:nil=\"true\" />")),
            }
        }
        out.push_str(&format!("</{part}>"));
    }
    out.push_str("</contextdata>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> (&'static str, String) {
        let error = read(text.as_bytes()).map(|_| ()).unwrap_err();
        (error.code, error.path)
    }

    #[test]
    fn both_parts_are_read_with_nil_and_escaped_text() {
        let text = "<?xml version=\"1.0\"?><contextdata><campaigndata><Name>A &amp; B&#233;<![CDATA[ <C>]]></Name>\
                    <Empty/></campaigndata><systemdata xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
                    <CurrentActivity xsi:nil=\"true\" /><State>15</State></systemdata></contextdata>";
        let data = read(text.as_bytes()).unwrap();
        let name = |name: &str, text: &str| (name.to_owned(), Some(text.to_owned()));
        assert!(data.campaign == [name("Name", "A & Bé <C>"), name("Empty", "")]);
        assert!(data.system == [("CurrentActivity".to_owned(), None), name("State", "15")]);
        let again = read(write(&data).as_bytes()).unwrap();
        assert!(again == data, "what is written reads back");
    }

    #[test]
    fn what_could_do_harm_is_refused() {
        assert_eq!(code("<!DOCTYPE x [<!ENTITY a \"b\">]><contextdata/>").0, "doctype_forbidden");
        let entity = "<contextdata><campaigndata><Name>&a;</Name></campaigndata></contextdata>";
        assert_eq!(code(entity), ("bad_xml", "/contextdata/campaigndata/Name".to_owned()));
        assert_eq!(code(&"<a>".repeat(100)).0, "unexpected_element");
        let many = format!(
            "<contextdata><campaigndata>{}",
            (0..2000).map(|n| format!("<f{n}/>")).collect::<String>()
        );
        assert_eq!(code(&many).0, "too_large");
        assert_eq!(code(&" ".repeat(DOCUMENT_BYTES_MAX + 1)).0, "too_large");
        assert_eq!(read(b"<contextdata>\xff</contextdata>").map(drop).unwrap_err().code, "bad_encoding");
    }

    #[test]
    fn what_is_not_of_this_form_is_refused_with_its_path() {
        assert_eq!(code("").0, "bad_xml");
        assert_eq!(code("<contextdata>"), ("bad_xml", "/contextdata".to_owned()));
        assert_eq!(code("<contextdata></campaigndata>").0, "bad_xml");
        assert_eq!(code("<data/>"), ("unexpected_element", "/data".to_owned()));
        assert_eq!(code("<contextdata>x</contextdata>").0, "unexpected_text");
        let nested = "<contextdata><campaigndata><Name><First/></Name></campaigndata></contextdata>";
        assert_eq!(code(nested), ("unexpected_element", "/contextdata/campaigndata/Name/First".to_owned()));
        for name in ["Sta\"te", "1st", "-a", "a&amp;b", "a<b"] {
            let named = format!("<contextdata><systemdata><{name}>x</{name}></systemdata></contextdata>");
            assert_eq!(code(&named), ("bad_xml", "/contextdata/systemdata".to_owned()), "{name}");
        }
        assert!(
            read(
                "<contextdata><systemdata><Prénom-1.2_é>x</Prénom-1.2_é></systemdata></contextdata>"
                    .as_bytes()
            )
            .is_ok()
        );
        let twice = "<contextdata><systemdata><State>1</State><State>2</State></systemdata></contextdata>";
        assert_eq!(code(twice), ("named_twice", "/contextdata/systemdata/State".to_owned()));
    }
}
