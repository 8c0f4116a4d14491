//! Moving elements about and correlating them with kernels, coordinate by coordinate.

/// Elements of `x` (shape `from`) in another order: `source` writes the coordinates that an element of shape `to` comes
/// from, or says that it is a zero.
pub(crate) fn gather(
    x: &[i64],
    from: &[usize],
    to: &[usize],
    source: impl Fn(&[usize], &mut [usize]) -> bool,
) -> Vec<i64> {
    let (mut at, mut origin) = (vec![0; to.len()], vec![0; from.len()]);
    (0..to.iter().product())
        .map(|_| {
            let inside = source(&at, &mut origin);
            advance(&mut at, to);
            match inside {
                true => x[origin.iter().zip(from).fold(0, |index, (c, len)| index * len + c)],
                false => 0,
            }
        })
        .collect()
}

/// The next coordinates in row-major order.
fn advance(at: &mut [usize], shape: &[usize]) {
    for (c, len) in at.iter_mut().zip(shape).rev() {
        *c += 1;
        if *c < *len {
            return;
        }
        *c = 0;
    }
}

/// [`crate::Op::Conv`]: `x` of shape `[groups · channels, ..]`, `weight` of shape `[groups, channels, kernel.., outputs]`.
pub(crate) fn convolve(
    (x, shape): (&[i64], &[usize]),
    (weight, spec): (&[i64], &[usize]),
    bias: Option<&[i64]>,
    strides: &[usize],
    dilations: &[usize],
    positions: &[usize],
) -> Vec<i64> {
    let (groups, channels, outputs) = (spec[0], spec[1], spec[spec.len() - 1]);
    let kernel = &spec[2..spec.len() - 1];
    let (count, taps): (usize, usize) = (positions.iter().product(), kernel.iter().product());
    let plane: usize = shape[1..].iter().product();
    // Where each window begins, and where each kernel element lies in it.
    let offsets = |lens: &[usize], steps: &[usize], n: usize| -> Vec<usize> {
        let mut at = vec![0; lens.len()];
        (0..n)
            .map(|_| {
                let flat = at.iter().zip(steps).zip(&shape[1..]).fold(0, |i, ((c, s), len)| i * len + c * s);
                advance(&mut at, lens);
                flat
            })
            .collect()
    };
    let (starts, taps_at) = (offsets(positions, strides, count), offsets(kernel, dilations, taps));
    let mut y = vec![0; groups * outputs * count];
    let mut sums = vec![0; outputs];
    for group in 0..groups {
        for (p, start) in starts.iter().enumerate() {
            match bias {
                Some(bias) => sums.copy_from_slice(&bias[group * outputs..(group + 1) * outputs]),
                None => sums.fill(0),
            }
            for channel in 0..channels {
                let base = (group * channels + channel) * plane + start;
                let rows = weight[(group * channels + channel) * taps * outputs..].chunks_exact(outputs);
                for (tap, row) in taps_at.iter().zip(rows) {
                    let v = x[base + tap];
                    sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += v * w);
                }
            }
            for (o, sum) in sums.iter().enumerate() {
                y[(group * outputs + o) * count + p] = *sum;
            }
        }
    }
    y
}
