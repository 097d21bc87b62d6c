//! The envelope of a line: no panic, every part lies inside the line.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::both(data, fuzz::check_line));
