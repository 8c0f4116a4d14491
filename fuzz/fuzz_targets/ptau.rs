//! Reader of `.ptau` files and of our own setup files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let len = data.len() as u64;
    let _ = tacit_halo2::srs::read_ptau(std::io::Cursor::new(data), len, 4, &mut |_| {});
    let _ = tacit_halo2::srs::file::read_srs(&mut std::io::Cursor::new(data), len);
});
