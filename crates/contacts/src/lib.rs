//! Contacts before they are stored: numbers, their time zones, files, source maps, and the one door.
//!
//! Whatever creates contacts goes the same way. A file is opened with [`RecordReader`], its columns are bound with a
//! [`SourceMap`], each row becomes a [`RawContact`] (as does the body of an API call), and [`normalise()`] makes a
//! valid [`NewContact`] of it under the [`Rules`] of its campaign, or says with a [`RecordError`] why not. What was
//! refused is written with a [`RejectsWriter`], to be corrected and imported again.
//!
//! The crate is synchronous and pure: it knows no clock, database or network, and no file beyond the `Read` it is
//! given.

pub mod country;
pub mod field;
pub mod normalise;
pub mod number_zones;
pub mod numbers;
pub mod raw;
pub mod read;
pub mod record_error;
pub mod rejects;
pub mod source_map;

pub use country::{Country, UnknownCountry};
pub use field::{FieldDefinition, FieldError, FieldKind, FieldMeaning, FieldName, FieldValue};
pub use normalise::{NewContact, NewPhone, Rules, ZonePolicy, normalise};
pub use number_zones::zones_of;
pub use numbers::{NumberError, area_digits, country_digits, country_of, read_number};
pub use raw::{RawContact, RawPhone, RawText, RawWindow, TextFormat};
pub use read::{
    BrokenRow, Encoding, FileFormat, ReadError, ReadOptions, ReadRow, RecordReader, Row, RowContent, Sniffed,
    sniff,
};
pub use record_error::{RecordError, RecordErrorCode};
pub use rejects::RejectsWriter;
pub use source_map::{BoundMap, ColumnMapping, CompactError, MapError, SourceMap, Target};
