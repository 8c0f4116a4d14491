//! Padding to a few sizes, so that a sealed body's length says little of its content's.

use zeroize::Zeroizing;

use crate::suite::SealError;

/// Bytes of the content's length, in front of it.
const LENGTH: usize = 4;
/// The smallest size.
const SMALLEST: usize = 4 << 10;
/// From here on sizes are multiples of it.
const STEP: usize = 1 << 20;
/// Longest content that is sealed, in bytes.
pub(crate) const MAX_CONTENT: usize = 96 << 20;

/// The size that a content is padded to: 4, 16, 64 or 256 KiB, or a multiple of a mebibyte.
pub(crate) const fn padded_len(content: usize) -> usize {
    let needed = content + LENGTH;
    let mut size = SMALLEST;
    while size < STEP {
        if needed <= size {
            return size;
        }
        size *= 4;
    }
    needed.div_ceil(STEP) * STEP
}

/// Whether this is one of the sizes.
pub(crate) const fn is_size(padded: usize) -> bool {
    padded >= SMALLEST && padded_len(padded - LENGTH) == padded
}

/// Length (4 bytes, little-endian), content, zeros; as long as a content of at least `least` bytes is padded to.
pub(crate) fn pad(content: &[u8], least: usize) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let too_long = || SealError::TooLong { max: MAX_CONTENT, actual: content.len() };
    if content.len() > MAX_CONTENT {
        return Err(too_long());
    }
    let length = u32::try_from(content.len()).map_err(|_| too_long())?;
    let size = padded_len(content.len().max(least.min(MAX_CONTENT)));
    let mut padded = Zeroizing::new(Vec::with_capacity(size));
    padded.extend_from_slice(&length.to_le_bytes());
    padded.extend_from_slice(content);
    padded.resize(size, 0);
    Ok(padded)
}

/// Takes the padding away in place; refuses any but zeros up to one of the sizes.
pub(crate) fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (length, rest) = padded.split_first_chunk::<LENGTH>().ok_or(SealError::Padding)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (_, zeros) = rest.split_at_checked(length).ok_or(SealError::Padding)?;
    if !is_size(padded.len()) || zeros.iter().any(|b| *b != 0) {
        return Err(SealError::Padding);
    }
    padded.copy_within(LENGTH..LENGTH + length, 0);
    padded.truncate(length);
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_few_sizes() {
        for (content, size) in [
            (0, 4096),
            (4092, 4096),
            (4093, 16384),
            (65532, 65536),
            (65533, 262_144),
            (262_140, 262_144),
            (262_141, 1 << 20),
            ((1 << 20) - 3, 2 << 20),
        ] {
            assert_eq!(padded_len(content), size, "{content}");
        }
    }

    #[test]
    fn padding_is_taken_away_and_checked() {
        for (content, least) in [(0, 0), (1, 0), (5000, 0), (1, 100_000), (1 << 20, 0)] {
            let bytes: Vec<u8> = (0..content).map(|i| i as u8).collect();
            let padded = pad(&bytes, least).expect("short");
            assert_eq!(padded.len(), padded_len(content.max(least)));
            assert_eq!(*unpad(padded.clone()).expect("padded"), bytes);
            for at in [content + LENGTH, padded.len() - 1] {
                let mut bad = padded.clone();
                bad[at] = 1;
                assert_eq!(unpad(bad), Err(SealError::Padding));
            }
            let mut bad = padded.clone();
            bad.pop();
            assert_eq!(unpad(bad), Err(SealError::Padding));
            let mut bad = padded;
            bad[3] = 0xff;
            assert_eq!(unpad(bad), Err(SealError::Padding));
        }
        assert_eq!(unpad(Zeroizing::new(vec![0; 3])), Err(SealError::Padding));
    }
}
