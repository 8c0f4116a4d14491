//! The Fiat–Shamir transcript: labelled, length-prefixed, over BLAKE2b-512.

use blake2::{Blake2b512, Digest as _};
use halo2curves::ff::FromUniformBytes as _;

use crate::group::F;

/// A random oracle that tests program: its answer to a challenge, given the label and how many came before.
#[cfg(test)]
pub(crate) type Oracle = std::sync::Arc<dyn Fn(&str, usize) -> Option<F> + Send + Sync>;

/// Everything said so far.
#[derive(Clone)]
pub(crate) struct Transcript {
    state: Blake2b512,
    #[cfg(test)]
    oracle: Option<Oracle>,
    #[cfg(test)]
    drawn: usize,
}

impl Transcript {
    /// A transcript of the protocol `name`.
    pub(crate) fn new(name: &str) -> Self {
        let mut transcript = Self {
            state: Blake2b512::new(),
            #[cfg(test)]
            oracle: None,
            #[cfg(test)]
            drawn: 0,
        };
        transcript.absorb("protocol", name.as_bytes());
        transcript
    }

    /// Absorbs a labelled message.
    pub(crate) fn absorb(&mut self, label: &str, bytes: &[u8]) {
        self.state.update((label.len() as u64).to_le_bytes());
        self.state.update(label.as_bytes());
        self.state.update((bytes.len() as u64).to_le_bytes());
        self.state.update(bytes);
    }

    /// A challenge that depends on everything absorbed and drawn so far. Its bias is below 2^-250.
    pub(crate) fn challenge(&mut self, label: &str) -> F {
        self.absorb("challenge", label.as_bytes());
        let output: [u8; 64] = self.state.clone().finalize().into();
        self.absorb("drawn", &output);
        #[cfg(test)]
        {
            self.drawn += 1;
            let answer = self.oracle.as_ref().and_then(|oracle| oracle(label, self.drawn - 1));
            if let Some(answer) = answer {
                return answer;
            }
        }
        F::from_uniform_bytes(&output)
    }

    /// 32 bytes that depend on everything so far, for seeds. Leaves the transcript as it was.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let output: [u8; 64] = self.state.clone().finalize().into();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&output[..32]);
        bytes
    }

    /// A transcript whose challenges are the oracle's answers where it has one.
    #[cfg(test)]
    pub(crate) fn programmed(mut self, oracle: Oracle) -> Self {
        self.oracle = Some(oracle);
        self
    }
}

/// A field element from labelled secret bytes: blinds of a segment's rows from its salt.
pub(crate) fn derive(label: &str, secret: &[u8; 32], index: u64) -> F {
    let mut hash = Blake2b512::new();
    hash.update((label.len() as u64).to_le_bytes());
    hash.update(label.as_bytes());
    hash.update(secret);
    hash.update(index.to_le_bytes());
    F::from_uniform_bytes(&hash.finalize().into())
}
