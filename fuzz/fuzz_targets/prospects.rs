//! Requests to create prospects.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    web::fuzzing::prospects(bytes);
});
