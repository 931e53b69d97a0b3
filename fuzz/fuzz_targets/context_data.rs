//! `<contextdata>` documents.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    web::fuzzing::context_data(bytes);
});
