//! Base64, as SASL wants it on the wire. Bytes in, text out.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes with padding (RFC 4648, section 4).
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.chunks(3).flat_map(encode_chunk).collect()
}

fn encode_chunk(chunk: &[u8]) -> [char; 4] {
    let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    let digit = |i: usize| {
        let value = bits >> (18 - 6 * i) & 63;
        let digit = ALPHABET.get(value as usize).copied().unwrap_or(b'=');
        if i <= chunk.len() { char::from(digit) } else { '=' }
    };
    [digit(0), digit(1), digit(2), digit(3)]
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn rfc_4648_vectors() {
        let check = |text: &str, coded: &str| assert_eq!(encode(text.as_bytes()), coded);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foob", "Zm9vYg==");
        check("Password:", "UGFzc3dvcmQ6");
    }
}
