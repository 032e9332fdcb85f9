//! The hot loop: the inner product of a query with an i8 code or with half of one, and of two i8 codes.
//!
//! All kernels compute the same integers exactly, so every path gives the same graph and the same
//! candidates; only speed differs. With `simsimd` behind a call per pair a search was measured to be
//! 1.37 times slower than with the loop inlined, hence this file. [`dispatch`] picks the kernel once per
//! search or build and compiles the whole task for it.
//!
//! Lengths are multiples of 64. Lanes beyond the dimension hold 0 on the query's side, so whatever the
//! code's side holds there counts for nothing (a block keeps its code's metadata there).

use std::sync::atomic::{AtomicBool, Ordering};

/// One implementation of the products. Values are only obtained inside [`dispatch`], which has checked
/// that the processor has the instructions.
pub(crate) trait Kernel: Copy + Send + Sync {
    /// Sum of `query[i] * (code[i] as i8)`; at most 65,536 lanes, so that it fits an i32.
    fn dot(self, query: &[u8], code: &[u8]) -> i32;
    /// Sum of `(a[i] as i8) * (b[i] as i8)`, given 128 times the sum of `b` as i8. Both are padded with 0.
    fn dot_codes(self, a: &[u8], b: &[u8], b_sum128: i32) -> i32;
    /// As [`Kernel::dot_codes`], with every number of `b` as its coarse half tells it ([`coarse`]), and so the sum.
    fn dot_coarse(self, a: &[u8], b: &[u8], b_sum128: i32) -> i32;
    /// Sum of `(query[i] as i8) * (half[i] & 15)` and `(query[half.len() + i] as i8) * (half[i] >> 4)`; `query` is
    /// twice as long as `half`, whose length is at most 32,768.
    fn dot_half(self, query: &[u8], half: &[u8]) -> i32;
}

/// Work that is compiled once for every kernel. `run` and what it calls in its hot loop are to be
/// `#[inline(always)]`, or the products are calls.
pub(crate) trait Task {
    /// What the work gives.
    type Out;
    /// Does the work with this kernel.
    fn run<K: Kernel>(self, kernel: K) -> Self::Out;
}

/// An i8 code as its upper four bits tell it: the others taken for the middle of their range, rounded up.
#[inline(always)]
pub(crate) fn coarse(code: u8) -> u8 {
    (code & 0xF0) | 8
}

static FORCE_SCALAR: AtomicBool = AtomicBool::new(false);

/// Makes every later [`dispatch`] of the process use the scalar kernel, or the best again.
#[cfg(test)]
pub(crate) fn force_scalar(on: bool) {
    FORCE_SCALAR.store(on, Ordering::Relaxed);
}

/// Runs `task` with the best kernel of this processor.
pub(crate) fn dispatch<T: Task>(task: T) -> T::Out {
    if FORCE_SCALAR.load(Ordering::Relaxed) {
        return task.run(Scalar);
    }
    #[cfg(target_arch = "x86_64")]
    {
        // The standard library caches these answers.
        if std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vnni")
        {
            // SAFETY: the three features the function is compiled for were just detected.
            return unsafe { x86::run_vnni(task) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was just detected.
            return unsafe { x86::run_avx2(task) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        task.run(arm::Neon::assume())
    }
    #[cfg(not(target_arch = "aarch64"))]
    task.run(Scalar)
}

/// Asks the processor to bring these bytes near; never faults, never changes anything.
#[inline(always)]
pub(crate) fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        // SAFETY: prefetching is a hint; the address lies within a live slice.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// Plain loops; the reference of the others.
#[derive(Clone, Copy)]
struct Scalar;

impl Kernel for Scalar {
    #[inline(always)]
    fn dot(self, query: &[u8], code: &[u8]) -> i32 {
        query.iter().zip(code).map(|(&q, &c)| i32::from(q) * i32::from(c.cast_signed())).sum()
    }

    #[inline(always)]
    fn dot_codes(self, a: &[u8], b: &[u8], _b_sum128: i32) -> i32 {
        a.iter().zip(b).map(|(&x, &y)| i32::from(x.cast_signed()) * i32::from(y.cast_signed())).sum()
    }

    #[inline(always)]
    fn dot_coarse(self, a: &[u8], b: &[u8], _b_sum128: i32) -> i32 {
        let product = |(&x, &y): (&u8, &u8)| i32::from(x.cast_signed()) * i32::from(coarse(y).cast_signed());
        a.iter().zip(b).map(product).sum()
    }

    #[inline(always)]
    fn dot_half(self, query: &[u8], half: &[u8]) -> i32 {
        let (first, second) = query.split_at(half.len());
        let products = first.iter().zip(second).zip(half).map(|((&q, &r), &c)| {
            i32::from(q.cast_signed()) * i32::from(c & 15) + i32::from(r.cast_signed()) * i32::from(c >> 4)
        });
        products.sum()
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_add_epi32, _mm_and_si128, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_or_si128,
        _mm_set1_epi8, _mm_shuffle_epi32, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256,
        _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_cvtepu8_epi16, _mm256_extracti128_si256,
        _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi8, _mm256_set1_epi16,
        _mm256_setzero_si256, _mm256_srli_epi16, _mm512_add_epi32, _mm512_and_si512, _mm512_dpbusd_epi32,
        _mm512_loadu_si512, _mm512_or_si512, _mm512_reduce_add_epi32, _mm512_set1_epi8, _mm512_setzero_si512,
        _mm512_srli_epi16, _mm512_xor_si512,
    };

    use super::{Kernel, Task};

    /// Compiles the whole task for AVX-512 with VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn run_vnni<T: Task>(task: T) -> T::Out {
        task.run(Vnni(()))
    }

    /// Compiles the whole task for AVX2.
    #[target_feature(enable = "avx2")]
    pub(super) fn run_avx2<T: Task>(task: T) -> T::Out {
        task.run(Avx2(()))
    }

    /// 64 products in one instruction. Exists only inside [`run_vnni`].
    #[derive(Clone, Copy)]
    pub(super) struct Vnni(());

    impl Kernel for Vnni {
        #[inline(always)]
        fn dot(self, query: &[u8], code: &[u8]) -> i32 {
            // SAFETY: a Vnni exists only where run_vnni's features were detected.
            unsafe { dot_vnni::<false, false>(query, code) }
        }

        #[inline(always)]
        fn dot_codes(self, a: &[u8], b: &[u8], b_sum128: i32) -> i32 {
            // SAFETY: as above. (a + 128) * b summed is a * b summed plus 128 times the sum of b.
            unsafe { dot_vnni::<true, false>(a, b) - b_sum128 }
        }

        #[inline(always)]
        fn dot_coarse(self, a: &[u8], b: &[u8], b_sum128: i32) -> i32 {
            // SAFETY: as above, and so is the arithmetic.
            unsafe { dot_vnni::<true, true>(a, b) - b_sum128 }
        }

        #[inline(always)]
        fn dot_half(self, query: &[u8], half: &[u8]) -> i32 {
            // SAFETY: as above.
            unsafe { dot_half_vnni(query, half) }
        }
    }

    /// 128 products in two instructions.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn dot_half_vnni(query: &[u8], half: &[u8]) -> i32 {
        let low = _mm512_set1_epi8(15);
        let (first, second) = query.split_at(half.len());
        let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        let query = first.chunks_exact(64).zip(second.chunks_exact(64));
        for ((q, r), c) in query.zip(half.chunks_exact(64)) {
            // SAFETY: all three chunks are 64 bytes long; the loads need no alignment.
            let (q, r, c) = unsafe {
                (
                    _mm512_loadu_si512(q.as_ptr().cast()),
                    _mm512_loadu_si512(r.as_ptr().cast()),
                    _mm512_loadu_si512(c.as_ptr().cast()),
                )
            };
            even = _mm512_dpbusd_epi32(even, _mm512_and_si512(c, low), q);
            odd = _mm512_dpbusd_epi32(odd, _mm512_and_si512(_mm512_srli_epi16::<4>(c), low), r);
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd))
    }

    /// Sum of u8 times i8; with `FLIP` the left side is i8 and 128 is added to it on the way, with `COARSE` the right
    /// side is made coarse on the way.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn dot_vnni<const FLIP: bool, const COARSE: bool>(left: &[u8], right: &[u8]) -> i32 {
        let flip = _mm512_set1_epi8(if FLIP { i8::MIN } else { 0 });
        let (upper, middle) = (_mm512_set1_epi8(-16), _mm512_set1_epi8(8));
        let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (i, (l, r)) in left.chunks_exact(64).zip(right.chunks_exact(64)).enumerate() {
            // SAFETY: both chunks are 64 bytes long; the loads need no alignment.
            let (l, r) =
                unsafe { (_mm512_loadu_si512(l.as_ptr().cast()), _mm512_loadu_si512(r.as_ptr().cast())) };
            let l = if FLIP { _mm512_xor_si512(l, flip) } else { l };
            let r = if COARSE { _mm512_or_si512(_mm512_and_si512(r, upper), middle) } else { r };
            if i % 2 == 0 {
                even = _mm512_dpbusd_epi32(even, l, r);
            } else {
                odd = _mm512_dpbusd_epi32(odd, l, r);
            }
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd))
    }

    /// 16 products at a time, widened to i16 first: the u8 * i8 instruction of AVX2 saturates.
    /// Exists only inside [`run_avx2`].
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(());

    impl Kernel for Avx2 {
        #[inline(always)]
        fn dot(self, query: &[u8], code: &[u8]) -> i32 {
            // SAFETY: an Avx2 exists only where the feature was detected.
            unsafe { dot_avx2::<false, false>(query, code) }
        }

        #[inline(always)]
        fn dot_codes(self, a: &[u8], b: &[u8], _b_sum128: i32) -> i32 {
            // SAFETY: as above.
            unsafe { dot_avx2::<true, false>(a, b) }
        }

        #[inline(always)]
        fn dot_coarse(self, a: &[u8], b: &[u8], _b_sum128: i32) -> i32 {
            // SAFETY: as above.
            unsafe { dot_avx2::<true, true>(a, b) }
        }

        #[inline(always)]
        fn dot_half(self, query: &[u8], half: &[u8]) -> i32 {
            // SAFETY: as above.
            unsafe { dot_half_avx2(query, half) }
        }
    }

    /// 64 products at a time: two of them, of at most 15 * 128 each, are far from saturating an i16.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn dot_half_avx2(query: &[u8], half: &[u8]) -> i32 {
        let (low, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
        let (first, second) = query.split_at(half.len());
        let mut sum = _mm256_setzero_si256();
        let query = first.chunks_exact(32).zip(second.chunks_exact(32));
        for ((q, r), c) in query.zip(half.chunks_exact(32)) {
            // SAFETY: all three chunks are 32 bytes long; the loads need no alignment.
            let (q, r, c) = unsafe {
                (
                    _mm256_loadu_si256(q.as_ptr().cast()),
                    _mm256_loadu_si256(r.as_ptr().cast()),
                    _mm256_loadu_si256(c.as_ptr().cast()),
                )
            };
            let even = _mm256_maddubs_epi16(_mm256_and_si256(c, low), q);
            let odd = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16::<4>(c), low), r);
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(even, odd), ones));
        }
        total_avx2(sum)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn dot_avx2<const SIGNED: bool, const COARSE: bool>(left: &[u8], right: &[u8]) -> i32 {
        let (mut even, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for (l, r) in left.chunks_exact(32).zip(right.chunks_exact(32)) {
            // SAFETY: both chunks are 32 bytes long; the loads need no alignment.
            let (l0, l1, r0, r1) = unsafe {
                (
                    _mm_loadu_si128(l.as_ptr().cast()),
                    _mm_loadu_si128(l.as_ptr().add(16).cast()),
                    _mm_loadu_si128(r.as_ptr().cast()),
                    _mm_loadu_si128(r.as_ptr().add(16).cast()),
                )
            };
            let (r0, r1) = if COARSE { (coarse_sse(r0), coarse_sse(r1)) } else { (r0, r1) };
            let (l0, l1) = if SIGNED {
                (_mm256_cvtepi8_epi16(l0), _mm256_cvtepi8_epi16(l1))
            } else {
                (_mm256_cvtepu8_epi16(l0), _mm256_cvtepu8_epi16(l1))
            };
            even = _mm256_add_epi32(even, _mm256_madd_epi16(l0, _mm256_cvtepi8_epi16(r0)));
            odd = _mm256_add_epi32(odd, _mm256_madd_epi16(l1, _mm256_cvtepi8_epi16(r1)));
        }
        total_avx2(_mm256_add_epi32(even, odd))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn coarse_sse(codes: __m128i) -> __m128i {
        _mm_or_si128(_mm_and_si128(codes, _mm_set1_epi8(-16)), _mm_set1_epi8(8))
    }

    /// The sum of eight.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn total_avx2(sum: __m256i) -> i32 {
        let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
        _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum)))
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::{
        vaddvq_s32, vand_u8, vdup_n_u8, vdupq_n_s32, vget_high_s16, vget_low_s16, vld1_s8, vld1_u8, vmlal_s8,
        vmlal_s16, vmovl_s8, vmovl_u8, vmull_s8, vorr_u8, vpadalq_s16, vreinterpret_s8_u8,
        vreinterpretq_s16_u16, vshr_n_u8,
    };

    use super::Kernel;

    /// Eight products at a time, widened to i16; NEON is part of every aarch64.
    #[derive(Clone, Copy)]
    pub(super) struct Neon(());

    impl Neon {
        pub(super) fn assume() -> Self {
            Neon(())
        }
    }

    impl Kernel for Neon {
        #[inline(always)]
        fn dot(self, query: &[u8], code: &[u8]) -> i32 {
            dot_neon::<false, false>(query, code)
        }

        #[inline(always)]
        fn dot_codes(self, a: &[u8], b: &[u8], _b_sum128: i32) -> i32 {
            dot_neon::<true, false>(a, b)
        }

        #[inline(always)]
        fn dot_coarse(self, a: &[u8], b: &[u8], _b_sum128: i32) -> i32 {
            dot_neon::<true, true>(a, b)
        }

        #[inline(always)]
        fn dot_half(self, query: &[u8], half: &[u8]) -> i32 {
            let (first, second) = query.split_at(half.len());
            // SAFETY: as above.
            unsafe {
                let mut sum = vdupq_n_s32(0);
                let query = first.chunks_exact(8).zip(second.chunks_exact(8));
                for ((q, r), c) in query.zip(half.chunks_exact(8)) {
                    let (q, r, c) =
                        (vld1_s8(q.as_ptr().cast()), vld1_s8(r.as_ptr().cast()), vld1_u8(c.as_ptr()));
                    // Two products of at most 15 * 128 fit an i16.
                    let low = vmull_s8(q, vreinterpret_s8_u8(vand_u8(c, vdup_n_u8(15))));
                    sum = vpadalq_s16(sum, vmlal_s8(low, r, vreinterpret_s8_u8(vshr_n_u8::<4>(c))));
                }
                vaddvq_s32(sum)
            }
        }
    }

    #[inline(always)]
    fn dot_neon<const SIGNED: bool, const COARSE: bool>(left: &[u8], right: &[u8]) -> i32 {
        // SAFETY: NEON is always there on aarch64; each load reads 8 bytes of an 8-byte chunk.
        unsafe {
            let (mut low, mut high) = (vdupq_n_s32(0), vdupq_n_s32(0));
            for (l, r) in left.chunks_exact(8).zip(right.chunks_exact(8)) {
                let l = if SIGNED {
                    vmovl_s8(vld1_s8(l.as_ptr().cast()))
                } else {
                    vreinterpretq_s16_u16(vmovl_u8(vld1_u8(l.as_ptr())))
                };
                let r = vld1_u8(r.as_ptr());
                let r = if COARSE { vorr_u8(vand_u8(r, vdup_n_u8(0xF0)), vdup_n_u8(8)) } else { r };
                let r = vmovl_s8(vreinterpret_s8_u8(r));
                low = vmlal_s16(low, vget_low_s16(l), vget_low_s16(r));
                high = vmlal_s16(high, vget_high_s16(l), vget_high_s16(r));
            }
            vaddvq_s32(low) + vaddvq_s32(high)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Both<'a>(&'a [u8], &'a [u8], i32);

    impl Task for Both<'_> {
        type Out = (i32, i32, i32, i32);
        #[inline(always)]
        fn run<K: Kernel>(self, kernel: K) -> (i32, i32, i32, i32) {
            let coarse128: i32 =
                128 * self.1.iter().map(|&x| i32::from(coarse(x).cast_signed())).sum::<i32>();
            let half = &self.1[..self.1.len() / 128 * 64];
            (
                kernel.dot(self.0, self.1),
                kernel.dot_codes(self.0, self.1, self.2),
                kernel.dot_half(&self.0[..2 * half.len()], half),
                kernel.dot_coarse(self.0, self.1, coarse128),
            )
        }
    }

    fn noise(len: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect()
    }

    /// Every kernel this machine can run, against plain loops and simsimd.
    #[test]
    fn every_kernel_gives_the_integers_of_the_plain_loop() {
        use simsimd::SpatialSimilarity;
        let extremes = [(vec![255u8; 4096], vec![0x80u8; 4096]), (vec![255u8; 4096], vec![127u8; 4096])];
        let random = (1..=20u64).map(|i| (noise(64 * i as usize, i), noise(64 * i as usize, i + 100)));
        for (a, b) in random.chain(extremes) {
            let sum128 = 128 * b.iter().map(|&x| i32::from(x.cast_signed())).sum::<i32>();
            let task = || Both(&a, &b, sum128);
            let expect = task().run(Scalar);
            let mut plain = 0i64;
            for i in 0..a.len() {
                plain += i64::from(a[i]) * i64::from(b[i].cast_signed());
            }
            assert_eq!(i64::from(expect.0), plain);
            let (sa, sb): (&[i8], &[i8]) = (bytemuck::cast_slice(&a), bytemuck::cast_slice(&b));
            let theirs = i8::dot(sa, sb).expect("same length") as i64;
            assert_eq!(i64::from(expect.1), theirs, "simsimd agrees at {}", a.len());
            let half = a.len() / 128 * 64;
            let nibbles: i64 = (0..half)
                .map(|i| {
                    let (q, r) = (i64::from(sa[i]), i64::from(sa[half + i]));
                    q * i64::from(b[i] & 15) + r * i64::from(b[i] >> 4)
                })
                .sum();
            assert_eq!(i64::from(expect.2), nibbles);
            let coarse = |i: usize| i64::from(sb[i]).div_euclid(16) * 16 + 8;
            assert_eq!(i64::from(expect.3), (0..a.len()).map(|i| i64::from(sa[i]) * coarse(i)).sum::<i64>());
            assert_eq!(dispatch(task()), expect);
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: AVX2 was just detected.
                assert_eq!(unsafe { x86::run_avx2(task()) }, expect);
            }
        }
    }

    #[test]
    fn zero_lanes_of_the_query_hide_whatever_the_code_holds_there() {
        let (mut query, code) = (noise(128, 3), noise(128, 4));
        query[100..].fill(0);
        let mut other = code.clone();
        other[100..].fill(77);
        assert_eq!(dispatch(Both(&query, &code, 0)).0, dispatch(Both(&query, &other, 0)).0);
    }
}
