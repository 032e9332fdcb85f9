//! Bytes as text.

/// Bytes as lower-case hexadecimal digits. Every report and every memory that the audit tells of has its hash
/// written so: by table, not by the machinery of formats, which took a tenth of what an entry costs.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 0xf)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn every_byte_has_two_digits() {
        let bytes: Vec<u8> = (0..=255).collect();
        for (byte, digits) in bytes.iter().zip(hex(&bytes).as_bytes().chunks(2)) {
            assert_eq!(format!("{byte:02x}").as_bytes(), digits);
        }
        assert_eq!(hex(&bytes).len(), 512);
        assert_eq!(hex(&[]), "");
    }
}
