//! Lines inside lines: no panic whatever the wrapping, and a wrapped line comes out as it went in.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::both(data, |line| {
        if let Some(inner) = maillog::unwrap(line)
            && let Some(record) = maillog::record(&inner)
        {
            fuzz::check_record(&record, &inner);
        }
    });
    // The journal gives what is no UTF-8 as a list of numbers.
    let bytes: Vec<String> = data.iter().filter(|b| **b != b'\n').map(u8::to_string).collect();
    let entry = format!(
        "{{\"__REALTIME_TIMESTAMP\":\"1763803046436140\",\"_HOSTNAME\":\"mail\",\"SYSLOG_IDENTIFIER\":\"x\",\"MESSAGE\":[{}]}}",
        bytes.join(",")
    );
    let plain = maillog::unwrap(entry.as_bytes()).unwrap_or_default();
    let message: Vec<u8> = data.iter().copied().filter(|b| *b != b'\n').collect();
    assert!(plain.strip_prefix(b"1763803046.436140 mail x: ").is_some_and(|found| found == message), "{entry}");
});
