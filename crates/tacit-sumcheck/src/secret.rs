//! Secrets in memory: cleared when dropped.

use std::ops::{Deref, DerefMut};

use halo2curves::ff::Field as _;

use crate::group::F;

/// Field elements that are overwritten when dropped, whatever becomes of the work they were for.
#[derive(Clone, Default)]
pub(crate) struct Secret(Vec<F>);

impl From<Vec<F>> for Secret {
    fn from(elements: Vec<F>) -> Self {
        Self(elements)
    }
}

impl FromIterator<F> for Secret {
    fn from_iter<I: IntoIterator<Item = F>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl Deref for Secret {
    type Target = Vec<F>;

    fn deref(&self) -> &Vec<F> {
        &self.0
    }
}

impl DerefMut for Secret {
    fn deref_mut(&mut self) -> &mut Vec<F> {
        &mut self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites elements; the optimiser must assume that somebody looks at the zeros.
pub(crate) fn wipe(elements: &mut [F]) {
    elements.fill(F::ZERO);
    std::hint::black_box(elements);
}
