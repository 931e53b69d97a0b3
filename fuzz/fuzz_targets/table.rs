//! Files of contacts, whatever they are made of.
#![no_main]

use contacts::{ReadOptions, RecordReader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(reader) = RecordReader::open(std::io::Cursor::new(bytes.to_vec()), ReadOptions::default()) else { return };
    for row in reader {
        if row.is_err() {
            return;
        }
    }
});
