//! Lists of integers as postcard writes them, without its detour through a byte at a time: a list is its
//! length and its elements, a length a little-endian base-128 number with continuation bits, an integer the
//! same of its zigzag form (0, -1, 1, -2, … as 0, 1, 2, 3, …). Each has one shortest form, and no other is
//! read.

/// Longest form of 64 bits.
const MAX: usize = 10;

/// Why bytes are not the shortest form of what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarintError {
    /// Cut short, or more than 64 bits.
    Malformed,
    /// Longer than need be.
    NotShortest,
}

/// Collects what is written and hands it on in chunks.
pub(crate) struct Writer<F: FnMut(&[u8])> {
    chunk: Vec<u8>,
    sink: F,
}

impl<F: FnMut(&[u8])> Writer<F> {
    const CHUNK: usize = 1 << 14;

    pub(crate) fn new(sink: F) -> Self {
        Self { chunk: Vec::with_capacity(Self::CHUNK), sink }
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.push(length as u64);
    }

    /// Length and elements.
    pub(crate) fn list(&mut self, values: &[i64]) {
        self.length(values.len());
        for v in values {
            self.push(((v << 1) ^ (v >> 63)) as u64);
        }
    }

    fn push(&mut self, mut n: u64) {
        if self.chunk.len() > Self::CHUNK - MAX {
            self.flush();
        }
        while n >= 0x80 {
            self.chunk.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.chunk.push(n as u8);
    }

    fn flush(&mut self) {
        (self.sink)(&self.chunk);
        zeroize::Zeroize::zeroize(&mut self.chunk);
    }

    /// Hands on what is left.
    pub(crate) fn finish(mut self) {
        self.flush();
    }
}

/// Reads from the front of `0`.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Result<u64, VarintError> {
        let mut n = 0;
        for (i, &byte) in self.0.iter().take(MAX).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if i == MAX - 1 && bits > 1 {
                return Err(VarintError::Malformed);
            }
            n |= bits << (7 * i);
            if byte < 0x80 {
                if byte == 0 && i > 0 {
                    return Err(VarintError::NotShortest);
                }
                self.0 = &self.0[i + 1..];
                return Ok(n);
            }
        }
        Err(VarintError::Malformed)
    }

    pub(crate) fn length(&mut self) -> Result<usize, VarintError> {
        usize::try_from(self.number()?).map_err(|_| VarintError::Malformed)
    }

    /// `length` elements; memory is set aside only where that many bytes are left.
    pub(crate) fn values(&mut self, length: usize) -> Result<Vec<i64>, VarintError> {
        if length > self.0.len() {
            return Err(VarintError::Malformed);
        }
        let mut values = Vec::with_capacity(length);
        for _ in 0..length {
            let n = self.number()?;
            values.push((n >> 1) as i64 ^ -((n & 1) as i64));
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(lists: &[Vec<i64>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(|chunk: &[u8]| out.extend_from_slice(chunk));
        writer.length(lists.len());
        for list in lists {
            writer.list(list);
        }
        writer.finish();
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<i64>>, VarintError> {
        let mut reader = Reader(bytes);
        let lists = (0..reader.length()?)
            .map(|_| {
                let length = reader.length()?;
                reader.values(length)
            })
            .collect::<Result<_, _>>()?;
        if reader.0.is_empty() { Ok(lists) } else { Err(VarintError::Malformed) }
    }

    proptest! {
        #[test]
        fn the_form_is_postcards(lists: Vec<Vec<i64>>, small: Vec<i8>) {
            let mut lists = lists;
            lists.push(small.into_iter().map(i64::from).collect());
            lists.push(vec![i64::MIN, i64::MAX, 0, -1, 1, 63, 64, -64, -65]);
            let bytes = written(&lists);
            prop_assert_eq!(&bytes, &postcard::to_stdvec(&lists).unwrap());
            prop_assert_eq!(read(&bytes), Ok(lists));
        }

        /// Whatever is read is written the same, and is what postcard reads.
        #[test]
        fn one_form(bytes in proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..40)) {
            if let Ok(lists) = read(&bytes) {
                prop_assert_eq!(written(&lists), bytes.clone());
                prop_assert_eq!(postcard::from_bytes::<Vec<Vec<i64>>>(&bytes), Ok(lists));
            }
        }
    }

    #[test]
    fn chunks_do_not_show() {
        let list: Vec<i64> = (0..40_000).map(|i| i * i * i - 7).collect();
        assert_eq!(written(std::slice::from_ref(&list)), postcard::to_stdvec(&vec![list]).unwrap());
    }

    #[test]
    fn refuses_other_forms() {
        assert_eq!(read(&[0x80, 0x00]), Err(VarintError::NotShortest));
        assert_eq!(read(&[0x80]), Err(VarintError::Malformed));
        // A list of 2^62 elements is announced.
        let announced = [&[1][..], &[0x80; 8], &[0x40]].concat();
        assert_eq!(read(&announced), Err(VarintError::Malformed));
        let too_many_bits = [&[1, 1][..], &[0xff; 9], &[2]].concat();
        assert_eq!(read(&too_many_bits), Err(VarintError::Malformed));
    }
}
