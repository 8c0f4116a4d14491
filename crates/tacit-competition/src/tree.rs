//! The Merkle tree of RFC 6962 (section 2.1) over a log's entries, and its proofs, as lists of hashes.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;

use crate::entry::MAX_ENTRIES;
use crate::ids::TreeHash;

/// A proof about a tree does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not lead to the tree's root")]
pub struct BadTreeProof;

/// A tree of a size, by its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Number of leaves.
    pub size: u64,
    /// Hash of the root.
    pub hash: TreeHash,
}

impl Root {
    fn inner(&self) -> Result<RootHash<Sha256>, BadTreeProof> {
        // The library is exact up to 2^63 leaves; a log of ours never comes near.
        if self.size > MAX_ENTRIES {
            return Err(BadTreeProof);
        }
        Ok(RootHash::new(self.hash.0.into(), self.size))
    }

    /// Checks that `leaf` is the tree's leaf number `index`.
    ///
    /// # Errors
    /// [`BadTreeProof`].
    pub fn verify_inclusion(&self, leaf: &[u8], index: u64, proof: &[TreeHash]) -> Result<(), BadTreeProof> {
        let proof = InclusionProof::try_from_bytes(joined(proof)).map_err(|_| BadTreeProof)?;
        self.inner()?.verify_inclusion(&leaf, index, &proof).map_err(|_| BadTreeProof)
    }

    /// Checks that the tree begins with all leaves of the `old` one, in their order.
    ///
    /// # Errors
    /// [`BadTreeProof`].
    pub fn verify_consistency(&self, old: &Self, proof: &[TreeHash]) -> Result<(), BadTreeProof> {
        let proof = ConsistencyProof::try_from_bytes(joined(proof)).map_err(|_| BadTreeProof)?;
        self.inner()?.verify_consistency(&old.inner()?, &proof).map_err(|_| BadTreeProof)
    }
}

fn joined(proof: &[TreeHash]) -> Vec<u8> {
    proof.iter().flat_map(|h| h.0).collect()
}

fn hashes(bytes: &[u8]) -> Vec<TreeHash> {
    bytes.as_chunks().0.iter().map(|h| TreeHash(*h)).collect()
}

/// A whole tree in memory.
#[derive(Debug, Clone, Default)]
pub struct Tree(MemoryBackedTree<Sha256, Vec<u8>>);

impl Tree {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Vec<u8>) {
        self.0.push(leaf);
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.len()
    }

    /// Bytes of a leaf.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<&[u8]> {
        self.0.get(usize::try_from(index).ok()?).map(Vec::as_slice)
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Root {
        let root = self.0.root();
        let mut hash = [0; 32];
        hash.copy_from_slice(root.as_bytes());
        Root { size: self.size(), hash: TreeHash(hash) }
    }

    /// Proof that a leaf is where it is. `None` without such a leaf.
    #[must_use]
    pub fn prove_inclusion(&self, index: u64) -> Option<Vec<TreeHash>> {
        let index = usize::try_from(index).ok().filter(|_| index < self.size())?;
        Some(hashes(self.0.prove_inclusion(index).as_bytes()))
    }

    /// Proof that the tree begins with the one of its first `old` leaves. `None` for 0 and beyond the size.
    #[must_use]
    pub fn prove_consistency(&self, old: u64) -> Option<Vec<TreeHash>> {
        if old == 0 {
            return None;
        }
        let additions = usize::try_from(self.size().checked_sub(old)?).ok()?;
        Some(hashes(self.0.prove_consistency(additions).as_bytes()))
    }
}

impl<T: Into<Vec<u8>>> FromIterator<T> for Tree {
    fn from_iter<I: IntoIterator<Item = T>>(leaves: I) -> Self {
        let mut tree = Self::new();
        leaves.into_iter().for_each(|l| tree.push(l.into()));
        tree
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Leaves and roots of the reference tests of Certificate Transparency.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn tree(size: usize) -> Tree {
        LEAVES[..size].iter().map(|l| hex::decode(l).expect("digits")).collect()
    }

    fn proof(text: &str) -> Vec<TreeHash> {
        hashes(&hex::decode(text).expect("digits"))
    }

    #[test]
    fn roots_are_those_of_the_reference() {
        for (size, root) in ROOTS.iter().enumerate() {
            assert_eq!(tree(size).root().hash.to_string(), *root, "{size} leaves");
        }
    }

    #[test]
    fn proofs_are_those_of_the_reference() {
        let inclusion = proof(concat!(
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
        ));
        assert_eq!(tree(8).prove_inclusion(5).as_ref(), Some(&inclusion));
        let leaf = hex::decode(LEAVES[5]).expect("digits");
        let root = tree(8).root();
        assert_eq!(root.verify_inclusion(&leaf, 5, &inclusion), Ok(()));
        assert_eq!(root.verify_inclusion(&leaf, 4, &inclusion), Err(BadTreeProof));
        assert_eq!(root.verify_inclusion(b"", 5, &inclusion), Err(BadTreeProof));
        let consistency = proof(concat!(
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
        ));
        assert_eq!(tree(8).prove_consistency(6).as_ref(), Some(&consistency));
        assert_eq!(root.verify_consistency(&tree(6).root(), &consistency), Ok(()));
        assert_eq!(root.verify_consistency(&tree(5).root(), &consistency), Err(BadTreeProof));
        assert_eq!(tree(5).prove_consistency(2).map(|p| p.len()), Some(2));
        assert_eq!((tree(5).prove_consistency(0), tree(5).prove_consistency(6)), (None, None));
        assert_eq!(tree(5).prove_inclusion(5), None);
        let huge = Root { size: u64::MAX, ..root };
        assert_eq!(huge.verify_inclusion(&leaf, u64::MAX - 1, &inclusion), Err(BadTreeProof));
        assert_eq!(huge.verify_consistency(&huge, &[]), Err(BadTreeProof));
        let empty = Root { size: 0, ..root };
        assert_eq!(empty.verify_inclusion(&leaf, 0, &[]), Err(BadTreeProof));
        assert_eq!(root.verify_consistency(&empty, &[]), Err(BadTreeProof));
    }

    proptest! {
        #[test]
        fn any_prefix_is_consistent_and_any_change_is_not(size in 1usize..40, old in 1usize..40, at in 0usize..40) {
            let old = old.min(size);
            let leaves: Vec<Vec<u8>> = (0..size).map(|i| vec![i as u8; i % 5]).collect();
            let tree: Tree = leaves.iter().cloned().collect();
            let before: Tree = leaves[..old].iter().cloned().collect();
            let proof = tree.prove_consistency(old as u64).expect("a prefix");
            prop_assert_eq!(tree.root().verify_consistency(&before.root(), &proof), Ok(()));
            let mut changed = leaves[..old].to_vec();
            changed[at % old].push(0xff);
            let changed: Tree = changed.into_iter().collect();
            prop_assert_eq!(tree.root().verify_consistency(&changed.root(), &proof), Err(BadTreeProof));
            let index = at % size;
            let proof = tree.prove_inclusion(index as u64).expect("a leaf");
            prop_assert_eq!(tree.root().verify_inclusion(&leaves[index], index as u64, &proof), Ok(()));
            prop_assert!(tree.root().verify_inclusion(b"other", index as u64, &proof).is_err());
        }
    }
}
