//! Import of `.ptau` files made by snarkjs, and the store.

use std::fs;
use std::path::{Path, PathBuf};

use halo2_proofs::SerdeFormat;
use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::halo2curves::CurveAffine;
use halo2_proofs::halo2curves::bn256::{Bn256, Fq2, Fr, G1Affine, G2Affine};
use halo2_proofs::halo2curves::ff::Field as _;
use halo2_proofs::halo2curves::group::Curve as _;
use halo2_proofs::halo2curves::serde::SerdeObject as _;
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Error, Instance, Selector, create_proof, keygen_pk, keygen_vk,
    verify_proof,
};
use halo2_proofs::poly::Rotation;
use halo2_proofs::poly::kzg::commitment::KZGCommitmentScheme;
use halo2_proofs::poly::kzg::multiopen::{ProverSHPLONK, VerifierSHPLONK};
use halo2_proofs::poly::kzg::strategy::SingleStrategy;
use halo2_proofs::transcript::{
    Blake2bRead, Blake2bWrite, Challenge255, TranscriptReadBuffer as _, TranscriptWriterBuffer as _,
};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_halo2::srs::{
    CEREMONY_FILES, PointFault, PtauError, PtauImport, Srs, SrsFileError, SrsOrigin, SrsPolicy, SrsProgress,
    SrsStage, SrsStore, StoreError, VerifierSrs, read_ptau,
};

const POWERS: &str = "power08.ptau";
const PREPARED: &str = "power08-prepared.ptau";
const TRUNCATED: &str = "power08-truncated04.ptau";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ptau").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).expect("a fixture")
}

fn read(bytes: &[u8], max_k: u32) -> Result<PtauImport, PtauError> {
    read_ptau(bytes, bytes.len() as u64, max_k, &mut |_| {})
}

fn quiet() -> impl FnMut(SrsProgress) {
    |_| {}
}

fn raw(srs: &Srs) -> Vec<u8> {
    let mut out = Vec::new();
    srs.params().write_custom(&mut out, SerdeFormat::RawBytes).expect("a vector takes all");
    out
}

/// A `.ptau` file taken apart: sections by id and content.
#[derive(Clone)]
struct Sections(Vec<(u32, Vec<u8>)>);

impl Sections {
    fn of(name: &str) -> Self {
        let bytes = bytes(name);
        let mut rest = &bytes[12..];
        let mut sections = Vec::new();
        while !rest.is_empty() {
            let id = u32::from_le_bytes(rest[..4].try_into().expect("4 bytes"));
            let size = u64::from_le_bytes(rest[4..12].try_into().expect("8 bytes")) as usize;
            sections.push((id, rest[12..12 + size].to_vec()));
            rest = &rest[12 + size..];
        }
        Self(sections)
    }

    fn get(&mut self, id: u32) -> &mut Vec<u8> {
        &mut self.0.iter_mut().find(|(i, _)| *i == id).expect("a section").1
    }

    fn with(&self, id: u32, at: usize, patch: &[u8]) -> Self {
        let mut changed = self.clone();
        changed.get(id)[at..at + patch.len()].copy_from_slice(patch);
        changed
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = b"ptau\x01\0\0\0".to_vec();
        out.extend((self.0.len() as u32).to_le_bytes());
        for (id, content) in &self.0 {
            out.extend(id.to_le_bytes());
            out.extend((content.len() as u64).to_le_bytes());
            out.extend(content);
        }
        out
    }

    fn read(&self) -> Result<PtauImport, PtauError> {
        read(&self.bytes(), 28)
    }
}

#[test]
fn prepared_and_unprepared_give_the_same_setup() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (SrsStore::open(folder.path().join("a")), SrsStore::open(folder.path().join("b")));
    let mut stages = Vec::new();
    let entry = a.import_ptau(&fixture(POWERS), 28, &mut |p| stages.push(p.stage)).expect("sound");
    assert_eq!(entry.k, 8);
    assert!(stages.contains(&SrsStage::LagrangeBasis));
    stages.clear();
    let other = b.import_ptau(&fixture(PREPARED), 28, &mut |p| stages.push(p.stage)).expect("sound");
    assert!(!stages.contains(&SrsStage::LagrangeBasis), "the prepared bases are used");
    assert_eq!(entry.fingerprint, other.fingerprint);
    for k in [8, 7, 5, 1] {
        let policy = SrsPolicy::NoDev;
        let (x, y) = (a.load(k, &policy, &mut quiet()), b.load(k, &policy, &mut quiet()));
        let (x, y) = (x.expect("installed"), y.expect("installed"));
        assert_eq!(x.k(), k);
        assert!(raw(&x) == raw(&y), "k = {k}");
        // What was derived is kept.
        assert!(raw(&a.load(k, &policy, &mut |p| panic!("{p:?}")).expect("kept")) == raw(&x));
    }
    assert_eq!(a.info().expect("readable").entries.len(), 4);
}

#[test]
fn files_are_known_by_their_hash() {
    // b2sum power08.ptau
    let expected = include_str!("fixtures/ptau/power08.b2sum").trim();
    let import = read(&bytes(POWERS), 8).expect("sound");
    let SrsOrigin::Imported { blake2b } = import.origin else { panic!("{:?}", import.origin) };
    assert_eq!(hex::encode(blake2b), expected);
    let mut hash = [0; 64];
    hex::decode_to_slice(CEREMONY_FILES[0].blake2b, &mut hash).expect("hexadecimal");
    assert_eq!(SrsOrigin::of_file(hash), SrsOrigin::Ceremony(&CEREMONY_FILES[0]));
    assert_eq!(
        SrsOrigin::of_file(hash).to_string(),
        "Perpetual Powers of Tau, powersOfTau28_hez_final_08.ptau"
    );
}

#[test]
fn only_what_is_asked_for_is_kept() {
    let all = read(&bytes(PREPARED), 28).expect("sound");
    assert_eq!((all.power, all.k), (8, 8));
    assert_eq!(all.prepared.iter().map(|(k, points)| (*k, points.len())).collect::<Vec<_>>(), [(8, 256)]);
    for k in [1, 5] {
        let some = read(&bytes(PREPARED), k).expect("sound");
        assert_eq!((some.power, some.k, &some.powers[..]), (8, k, &all.powers[..1 << k]));
        assert_eq!(some.prepared.iter().map(|(k, _)| *k).collect::<Vec<_>>(), [k]);
    }
    let truncated = read(&bytes(TRUNCATED), 28).expect("sound");
    assert_eq!((truncated.power, truncated.k, &truncated.powers[..]), (4, 4, &all.powers[..16]));
    assert_eq!(truncated.prepared.len(), 1);
    for k in [0, 29] {
        assert!(matches!(read(&bytes(TRUNCATED), k), Err(PtauError::MaxK { found }) if found == k));
    }
}

#[test]
fn progress_counts_every_byte() {
    let file = bytes(PREPARED);
    let mut last = 0;
    read_ptau(&file[..], file.len() as u64, 8, &mut |p| {
        if p.stage == SrsStage::Reading {
            assert!(p.done >= last && p.done <= p.total);
            last = p.done;
        }
    })
    .expect("sound");
    assert_eq!(last, file.len() as u64);
}

#[test]
fn faults_of_the_container() {
    let good = bytes(TRUNCATED);
    let with = |at: usize, patch: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        bytes
    };
    assert!(matches!(read(&with(0, b"zkey"), 4), Err(PtauError::Magic { found }) if &found == b"zkey"));
    assert!(matches!(read(&with(4, &[2]), 4), Err(PtauError::Version { found: 2 })));
    assert!(matches!(read(&[], 4), Err(PtauError::Truncated { position: 0, needed: 4, left: 0 })));
    // A section's size: of the header, of the powers; a huge one is compared with the file before anything else.
    let huge = read(&with(16, &[0xff; 8]), 4);
    assert!(matches!(huge, Err(PtauError::Truncated { position: 24, needed: u64::MAX, .. })));
    let mut trailing = good.clone();
    trailing.extend([0; 3]);
    assert!(matches!(read(&trailing, 4), Err(PtauError::Trailing { bytes: 3 })));
    let fewer = read(&with(8, &[10]), 4);
    assert!(matches!(fewer, Err(PtauError::Trailing { .. })));
    let more = read(&with(8, &[12]), 4);
    assert!(matches!(more, Err(PtauError::Truncated { needed: 4, left: 0, .. })));
    for cut in (0..good.len()).step_by(97) {
        assert!(matches!(read(&good[..cut], 4), Err(PtauError::Truncated { .. })), "cut at {cut}");
        let shorter_than_said = read_ptau(&good[..cut], good.len() as u64, 4, &mut quiet());
        assert!(matches!(shorter_than_said, Err(PtauError::Truncated { .. })), "cut at {cut}");
    }
}

#[test]
fn faults_of_the_sections() {
    let good = Sections::of(TRUNCATED);
    assert!(good.read().is_ok());
    for id in [1, 2, 3] {
        let mut missing = good.clone();
        missing.0.retain(|(i, _)| *i != id);
        match missing.read() {
            Err(PtauError::SectionOrder { id: 2, needs: 1 }) if id == 1 => {}
            Err(PtauError::MissingSection { id: found }) => assert_eq!(found, id),
            other => panic!("{other:?}"),
        }
        let mut twice = good.clone();
        twice.0.push(good.0[id as usize - 1].clone());
        assert!(matches!(twice.read(), Err(PtauError::DuplicateSection { id: found }) if found == id));
    }
    let mut swapped = good.clone();
    swapped.0.swap(0, 1);
    assert!(matches!(swapped.read(), Err(PtauError::SectionOrder { id: 2, needs: 1 })));
    for (id, expected) in
        [(1, 44), (2, 31 * 64), (3, 16 * 128), (4, 16 * 64), (5, 16 * 64), (6, 128), (12, 63 * 64)]
    {
        let mut long = good.clone();
        long.get(id).push(0);
        match long.read() {
            Err(PtauError::SectionSize { id: i, expected: e, found }) => {
                assert_eq!((i, e, found), (id, expected, e + 1))
            }
            other => panic!("section {id}: {other:?}"),
        }
    }
    let mut tiny = good.clone();
    tiny.get(1).truncate(3);
    assert!(matches!(tiny.read(), Err(PtauError::SectionSize { id: 1, expected: 44, found: 3 })));
    // Header: bytes of a coordinate, prime, power, ceremony's power.
    assert!(matches!(good.with(1, 0, &[48]).read(), Err(PtauError::WrongCurve)));
    assert!(matches!(good.with(1, 4, &[0x46]).read(), Err(PtauError::WrongCurve)));
    for power in [0, 29, u32::MAX] {
        let error = good.with(1, 36, &power.to_le_bytes()).read();
        assert!(matches!(error, Err(PtauError::Power { found }) if found == power));
    }
    assert!(matches!(good.with(1, 36, &[5]).read(), Err(PtauError::SectionSize { id: 2, .. })));
    for ceremony in [3, 29] {
        let error = good.with(1, 40, &[ceremony]).read();
        assert!(
            matches!(error, Err(PtauError::CeremonyPower { power: 4, found }) if found == u32::from(ceremony))
        );
    }
    assert!(matches!(read(&bytes("bls12-381-new01.ptau"), 1), Err(PtauError::WrongCurve)));
    assert!(matches!(read(&bytes("new01.ptau"), 1), Err(PtauError::NoContribution)));
}

#[test]
fn faults_of_the_points() {
    let mut good = Sections::of(TRUNCATED);
    let tau_g1 = good.get(2).clone();
    let tau_g2 = good.get(3).clone();
    let point = |section, at: usize, patch: &[u8]| match good.with(section, at, patch).read() {
        Err(PtauError::Point { section: s, index, fault }) if s == section => (index, fault),
        other => panic!("{other:?}"),
    };
    assert_eq!(point(2, 3 * 64, &[0; 64]), (3, PointFault::Infinity));
    assert_eq!(point(2, 15 * 64, &[0xff; 64]), (15, PointFault::NotCanonical));
    assert_eq!(point(2, 5 * 64, &[7; 8]), (5, PointFault::NotOnCurve));
    assert_eq!(point(3, 128, &[0; 128]), (1, PointFault::Infinity));
    assert_eq!(point(3, 128 + 96, &[0xff; 32]), (1, PointFault::NotCanonical));
    assert_eq!(point(3, 128, &[7; 8]), (1, PointFault::NotOnCurve));
    assert_eq!(point(12, (15 + 9) * 64, &[0; 64]), (15 + 9, PointFault::Infinity));
    let outside = (1u64..)
        .find_map(|x| {
            let x = Fq2::from(x);
            let y = Option::<Fq2>::from((x.square() * x + G2Affine::b()).sqrt())?;
            Option::<G2Affine>::from(G2Affine::from_xy(x, y))
        })
        .expect("half of all x have a y");
    assert_eq!(point(3, 128, &outside.to_raw_bytes()), (1, PointFault::NotInSubgroup));
    // Points that are sound, and not the powers.
    let not_generator = good.with(2, 0, &tau_g1[64..128]).read();
    assert!(matches!(not_generator, Err(PtauError::NotGenerator { section: 2 })));
    let not_generator = good.with(3, 0, &tau_g2[128..256]).read();
    assert!(matches!(not_generator, Err(PtauError::NotGenerator { section: 3 })));
    for i in [1, 7, 8, 15] {
        let error = good.with(2, i * 64, &tau_g1[64 * (i + 1)..][..64]).read();
        assert!(matches!(error, Err(PtauError::Powers)), "power {i}");
    }
    let doubled = (G2Affine::from_raw_bytes(&tau_g2[128..256]).expect("a point") * Fr::from(2)).to_affine();
    assert!(matches!(good.with(3, 128, &doubled.to_raw_bytes()).read(), Err(PtauError::Powers)));
    // A file of zeros, as if the secret were zero.
    assert_eq!(point(2, 64, &[0; 30 * 64]), (1, PointFault::Infinity));
    // Prepared bases that are not those of the powers are left out.
    let lagrange = good.get(12).clone();
    let swapped =
        good.with(12, 15 * 64, &[&lagrange[16 * 64..17 * 64], &lagrange[15 * 64..16 * 64]].concat());
    assert!(swapped.read().expect("the powers are sound").prepared.is_empty());
}

#[test]
fn store_prefers_what_the_policy_prefers() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SrsStore::open(folder.path().join("not/yet"));
    assert!(store.info().expect("empty").entries.is_empty());
    assert!(matches!(
        store.load(4, &SrsPolicy::AllowDev, &mut quiet()),
        Err(StoreError::Missing { k: 4, largest: None })
    ));
    let dev = store.add_unsafe_dev(9).expect("written");
    assert_eq!(dev.path.file_name().expect("a name"), "srs-unsafe-dev-9.bin");
    let refused = store.load(4, &SrsPolicy::NoDev, &mut quiet());
    assert!(matches!(refused, Err(StoreError::RefusedByPolicy { k: 4, origin: SrsOrigin::UnsafeDev })));
    let small = store.load(4, &SrsPolicy::AllowDev, &mut quiet()).expect("installed");
    let small_again = SrsStore::open(folder.path().join("other"));
    small_again.add_unsafe_dev(4).expect("written");
    let same = small_again.load(4, &SrsPolicy::AllowDev, &mut quiet()).expect("installed");
    assert!(raw(&small) == raw(&same), "one secret for all development setups");
    assert_eq!(*small.fingerprint(), dev.fingerprint);

    let imported = store.import_ptau(&fixture(PREPARED), 28, &mut quiet()).expect("sound");
    for policy in [SrsPolicy::NoDev, SrsPolicy::AllowDev] {
        let verifier = store.load_verifier(4, &policy).expect("installed");
        assert_eq!((*verifier.fingerprint(), verifier.k()), (imported.fingerprint, 4));
    }
    let exactly = store.load_verifier(4, &SrsPolicy::Exactly(dev.fingerprint)).expect("installed");
    assert!(exactly.origin().is_unsafe_dev());
    assert_eq!(
        store.load_verifier(9, &SrsPolicy::AllowDev).expect("installed").origin(),
        &SrsOrigin::UnsafeDev
    );
    let ceremony = store.load_verifier(4, &SrsPolicy::CeremonyOnly);
    assert!(matches!(ceremony, Err(StoreError::RefusedByPolicy { .. })));
    let large = store.load_verifier(10, &SrsPolicy::NoDev);
    assert!(matches!(large, Err(StoreError::Missing { k: 10, largest: Some(8) })));
    assert_eq!(store.largest_k(&SrsPolicy::NoDev).expect("readable"), Some(8));
    assert_eq!(store.largest_k(&SrsPolicy::AllowDev).expect("readable"), Some(9));
    for k in [0, 29] {
        assert!(
            matches!(store.load(k, &SrsPolicy::AllowDev, &mut quiet()), Err(StoreError::K { found }) if found == k)
        );
        assert!(matches!(store.add_unsafe_dev(k), Err(StoreError::K { found }) if found == k));
    }

    // Damage: the head is noticed by the listing, the points when they are loaded; other files are left alone.
    fs::write(store.folder().join("srs-mine-3.bin"), b"hello").expect("writable");
    fs::write(store.folder().join("notes.txt"), b"hello").expect("writable");
    let mut file = fs::read(&imported.path).expect("written");
    let last = file.len() - 1;
    file[last] ^= 1;
    fs::write(&imported.path, &file).expect("writable");
    let listing = store.info().expect("readable");
    assert_eq!(listing.damaged.len(), 1);
    assert!(matches!(listing.damaged[0].error, SrsFileError::Length { .. }));
    let error = store.load(8, &SrsPolicy::NoDev, &mut quiet());
    assert!(matches!(error, Err(StoreError::File { path, .. }) if path == imported.path));
    let error = store.load(12, &SrsPolicy::AllowDev, &mut quiet());
    assert!(matches!(error, Err(StoreError::File { path, .. }) if path.ends_with("srs-mine-3.bin")));
    let names: Vec<_> =
        fs::read_dir(store.folder()).expect("a folder").map(|f| f.expect("a file").file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("tmp")), "{names:?}");
}

#[test]
fn missing_and_strange_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SrsStore::open(folder.path());
    let missing = store.import_ptau(&folder.path().join("none.ptau"), 8, &mut quiet());
    assert!(matches!(missing, Err(StoreError::Ptau { source: PtauError::Io(_), .. })));
    let directory = store.import_ptau(folder.path(), 8, &mut quiet());
    assert!(matches!(directory, Err(StoreError::Ptau { source: PtauError::Io(_), .. })));
    assert!(store.info().expect("readable").entries.is_empty(), "nothing is kept of what is refused");
}

#[test]
fn bases_that_do_not_match_are_computed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut wrong = Sections::of(TRUNCATED);
    let lagrange = wrong.get(12).clone();
    wrong = wrong.with(12, 15 * 64, &lagrange[16 * 64..17 * 64]);
    let path = folder.path().join("wrong.ptau");
    fs::write(&path, wrong.bytes()).expect("writable");
    let (a, b) = (SrsStore::open(folder.path().join("a")), SrsStore::open(folder.path().join("b")));
    let mut stages = Vec::new();
    a.import_ptau(&path, 4, &mut |p| stages.push(p.stage)).expect("the powers are sound");
    assert!(stages.contains(&SrsStage::LagrangeBasis));
    b.import_ptau(&fixture(TRUNCATED), 4, &mut quiet()).expect("sound");
    let [a, b] = [a, b].map(|store| store.load(4, &SrsPolicy::NoDev, &mut quiet()).expect("installed"));
    assert!(raw(&a) == raw(&b));
}

#[test]
fn a_root_of_unity_as_large_as_the_domain_is_refused() {
    // The secret -1 in a file of power 1: the powers are 1, -1, 1, and the domain {1, -1} has no Lagrange basis.
    let folder = tempfile::tempdir().expect("a folder");
    let minus_g1 = (-G1Affine::generator()).to_raw_bytes();
    let minus_g2 = (-G2Affine::generator()).to_raw_bytes();
    let file = Sections::of("new01.ptau").with(2, 64, &minus_g1).with(3, 128, &minus_g2);
    assert!(file.read().is_ok(), "these are powers");
    let path = folder.path().join("minus.ptau");
    fs::write(&path, file.bytes()).expect("writable");
    let error = SrsStore::open(folder.path()).import_ptau(&path, 1, &mut quiet());
    assert!(matches!(error, Err(StoreError::Ptau { source: PtauError::NoContribution, .. })));
}

/// `x^2 = instance`, in `2^4` rows.
#[derive(Clone, Default)]
struct Square(Value<Fr>);

impl Circuit<Fr> for Square {
    type Config = (Column<Advice>, Column<Instance>, Selector);
    type FloorPlanner = SimpleFloorPlanner;
    type Params = ();

    fn without_witnesses(&self) -> Self {
        Self::default()
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Self::Config {
        let (advice, instance, selector) = (meta.advice_column(), meta.instance_column(), meta.selector());
        meta.enable_equality(advice);
        meta.enable_equality(instance);
        meta.create_gate("square", |meta| {
            let (x, y) =
                (meta.query_advice(advice, Rotation::cur()), meta.query_advice(advice, Rotation::next()));
            vec![meta.query_selector(selector) * (x.clone() * x - y)]
        });
        (advice, instance, selector)
    }

    fn synthesize(
        &self,
        (advice, instance, selector): Self::Config,
        mut layouter: impl Layouter<Fr>,
    ) -> Result<(), Error> {
        let cell = layouter.assign_region(
            || "square",
            |mut region| {
                selector.enable(&mut region, 0)?;
                region.assign_advice(advice, 0, self.0);
                Ok(region.assign_advice(advice, 1, self.0.map(|x| x.square())).cell())
            },
        )?;
        layouter.constrain_instance(cell, instance, 0);
        Ok(())
    }
}

#[test]
fn a_verifier_needs_only_the_head() {
    type Shplonk<'a> = VerifierSHPLONK<'a, Bn256>;
    let folder = tempfile::tempdir().expect("a folder");
    let store = SrsStore::open(folder.path());
    store.import_ptau(&fixture(PREPARED), 8, &mut quiet()).expect("sound");
    store.add_unsafe_dev(4).expect("written");
    let policy = SrsPolicy::NoDev;
    let srs = store.load(4, &policy, &mut quiet()).expect("installed");
    let key = keygen_pk(
        srs.params(),
        keygen_vk(srs.params(), &Square::default()).expect("fits"),
        &Square::default(),
    );
    let key = key.expect("fits");
    let instance = [Fr::from(49)];
    let mut transcript = Blake2bWrite::<_, G1Affine, Challenge255<_>>::init(Vec::new());
    let circuit = Square(Value::known(Fr::from(7)));
    create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
        srs.params(),
        &key,
        &[circuit],
        &[&[&instance]],
        ChaCha20Rng::seed_from_u64(8),
        &mut transcript,
    )
    .expect("the witness satisfies the circuit");
    let proof = transcript.finalize();
    let verify = |srs: &VerifierSrs, instance: Fr| {
        let mut transcript = Blake2bRead::<_, G1Affine, Challenge255<_>>::init(&proof[..]);
        let strategy = SingleStrategy::new(srs.params());
        verify_proof::<_, Shplonk<'_>, _, _, _>(
            srs.params(),
            key.get_vk(),
            strategy,
            &[&[&[instance]]],
            &mut transcript,
        )
    };
    // From a file of its own size, from the head of a larger one, and from the whole setup.
    for verifier in [
        store.load_verifier(4, &policy).expect("installed"),
        store.load_verifier(8, &policy).expect("installed").with_k(4),
        srs.verifier(),
    ] {
        assert!(verify(&verifier, instance[0]).is_ok());
        assert!(verify(&verifier, Fr::from(48)).is_err());
    }
    let dev = store.load_verifier(4, &SrsPolicy::AllowDev).expect("installed");
    assert!(!dev.origin().is_unsafe_dev(), "an imported setup comes first");
    let dev = store.add_unsafe_dev(4).expect("written").fingerprint;
    let dev = store.load_verifier(4, &SrsPolicy::Exactly(dev)).expect("installed");
    assert!(verify(&dev, instance[0]).is_err(), "another setup");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_file_panics(
        cut in prop::option::weighted(0.3, 0usize..19_881),
        patches in prop::collection::vec((0usize..19_881, any::<u8>()), 0..4),
        early in prop::collection::vec((0usize..100, any::<u8>()), 0..4),
        max_k in 0u32..32,
    ) {
        let mut file = bytes(TRUNCATED);
        for (at, byte) in patches.iter().chain(&early) {
            file[*at] ^= byte;
        }
        file.truncate(cut.unwrap_or(file.len()));
        let changed = file != bytes(TRUNCATED);
        match read(&file, max_k) {
            Ok(import) => prop_assert!(!changed || import.origin != read(&bytes(TRUNCATED), 4).expect("sound").origin),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn no_noise_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&noise, 8).is_err());
        prop_assert!(read(&[b"ptau\x01\0\0\0", &noise[..]].concat(), 8).is_err());
    }
}
