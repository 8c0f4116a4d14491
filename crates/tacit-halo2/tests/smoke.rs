use std::collections::BTreeMap;
use std::time::Instant;
use halo2_proofs::dev::MockProver;
use halo2_proofs::poly::kzg::commitment::ParamsKZG;
use rand_core::OsRng;
use tacit_digest::{Domain, Part, Salt};
use tacit_halo2::prove::{self, circuit, instance_column};
use tacit_halo2::{ProverKey, plan};
use tacit_model::testing::{mlp, record};
use tacit_relations::*;

fn statement(sizes: &[usize]) -> (Statement, Trace, Openings) {
    let model = mlp(sizes, 8, 16, 7);
    let system = lower_inference(model.architecture(), Inference { samples: 1, input: Visibility::Hidden, output: Visibility::Public }).unwrap();
    let given = Assignment { weights: model.weights().tensors().to_vec(), input: vec![record(model.architecture(), 3)], public: vec![] };
    let t = trace(&system, &given).unwrap();
    let mut commitments = BTreeMap::new();
    let mut openings = Openings::new();
    for segment in [Segment::Weights, Segment::Input] {
        let salt = [segment as u8 + 1; 32];
        let parts: Vec<(u8, Vec<i64>)> = system.parts(segment).iter().map(|p| (p.width, p.tensors.iter().flat_map(|id| t.tensor(*id).to_vec()).collect())).collect();
        let parts: Vec<Part<'_>> = parts.iter().map(|(w, v)| Part { width: *w, values: v }).collect();
        let domain = if segment == Segment::Weights { Domain::Weights } else { Domain::Input };
        let d = tacit_digest::digest(domain, &parts, &Salt::from_bytes(salt)).unwrap();
        commitments.insert(segment, Commitment(d.to_bytes().to_vec()));
        openings.insert(segment, Opening(salt));
    }
    let public = system.segment(Segment::Public).map(|id| (id, t.tensor(id).to_vec())).collect();
    (Statement { system, binding: [9; 32], commitments, public }, t, openings)
}

#[test]
fn small() {
    let (s, t, o) = statement(&[3, 4, 2]);
    let shape = plan(&s.system).unwrap();
    println!("{shape:?}");
    let c = circuit(&s, shape, &t, &o).unwrap();
    println!("rows {}", c.sheet().rows());
    let mock = MockProver::run(shape.k, &c, vec![instance_column(&s).unwrap()]).unwrap();
    if let Err(e) = mock.verify() { for f in e.iter().take(5) { println!("{f}"); } panic!("{} failures", e.len()); }
}

#[test]
fn medical() {
    let at = Instant::now();
    for sizes in [&[30usize, 32, 16, 2][..], &[64, 64, 32, 10]] {
        let (s, t, o) = statement(sizes);
        let now = Instant::now();
        let shape = plan(&s.system).unwrap();
        println!("{shape:?} plan {:?}", now.elapsed());
        let c = circuit(&s, shape, &t, &o).unwrap();
        println!("rows {}", c.sheet().rows());
        let params = ParamsKZG::setup(shape.k, OsRng);
        let now = Instant::now();
        let key = ProverKey::generate(&params, &s.system, shape).unwrap();
        println!("keygen {:?}", now.elapsed());
        for _ in 0..3 {
        let now = Instant::now();
        let proof = prove::prove(&params, &key, &s, &t, &o, &mut OsRng).unwrap();
        println!("prove {:?} {} bytes", now.elapsed(), proof.len());
        let vk = key.verifier_key();
        let now = Instant::now();
        prove::verify(&params, &vk, &s, &proof).unwrap();
        println!("verify {:?}", now.elapsed());
        }
    }
    println!("{:?}", at.elapsed());
}
