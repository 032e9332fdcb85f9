//! The hot loop: the inner product of a u8 query with an i8 code, and of two i8 codes.
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
}

/// Work that is compiled once for every kernel. `run` and what it calls in its hot loop are to be
/// `#[inline(always)]`, or the products are calls.
pub(crate) trait Task {
    /// What the work gives.
    type Out;
    /// Does the work with this kernel.
    fn run<K: Kernel>(self, kernel: K) -> Self::Out;
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
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_shuffle_epi32, _mm256_add_epi32,
        _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_cvtepu8_epi16, _mm256_extracti128_si256,
        _mm256_madd_epi16, _mm256_setzero_si256, _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_loadu_si512,
        _mm512_reduce_add_epi32, _mm512_set1_epi8, _mm512_setzero_si512, _mm512_xor_si512,
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
            unsafe { dot_vnni::<false>(query, code) }
        }

        #[inline(always)]
        fn dot_codes(self, a: &[u8], b: &[u8], b_sum128: i32) -> i32 {
            // SAFETY: as above. (a + 128) * b summed is a * b summed plus 128 times the sum of b.
            unsafe { dot_vnni::<true>(a, b) - b_sum128 }
        }
    }

    /// Sum of u8 times i8; with `FLIP` the left side is i8 and 128 is added to it on the way.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn dot_vnni<const FLIP: bool>(left: &[u8], right: &[u8]) -> i32 {
        let flip = _mm512_set1_epi8(if FLIP { i8::MIN } else { 0 });
        let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (i, (l, r)) in left.chunks_exact(64).zip(right.chunks_exact(64)).enumerate() {
            // SAFETY: both chunks are 64 bytes long; the loads need no alignment.
            let (l, r) =
                unsafe { (_mm512_loadu_si512(l.as_ptr().cast()), _mm512_loadu_si512(r.as_ptr().cast())) };
            let l = if FLIP { _mm512_xor_si512(l, flip) } else { l };
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
            unsafe { dot_avx2::<false>(query, code) }
        }

        #[inline(always)]
        fn dot_codes(self, a: &[u8], b: &[u8], _b_sum128: i32) -> i32 {
            // SAFETY: as above.
            unsafe { dot_avx2::<true>(a, b) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn dot_avx2<const SIGNED: bool>(left: &[u8], right: &[u8]) -> i32 {
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
            let (l0, l1) = if SIGNED {
                (_mm256_cvtepi8_epi16(l0), _mm256_cvtepi8_epi16(l1))
            } else {
                (_mm256_cvtepu8_epi16(l0), _mm256_cvtepu8_epi16(l1))
            };
            even = _mm256_add_epi32(even, _mm256_madd_epi16(l0, _mm256_cvtepi8_epi16(r0)));
            odd = _mm256_add_epi32(odd, _mm256_madd_epi16(l1, _mm256_cvtepi8_epi16(r1)));
        }
        let sum = _mm256_add_epi32(even, odd);
        let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
        _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum)))
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::{
        vaddvq_s32, vdupq_n_s32, vget_high_s16, vget_low_s16, vld1_s8, vld1_u8, vmlal_s16, vmovl_s8,
        vmovl_u8, vreinterpretq_s16_u16,
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
            dot_neon::<false>(query, code)
        }

        #[inline(always)]
        fn dot_codes(self, a: &[u8], b: &[u8], _b_sum128: i32) -> i32 {
            dot_neon::<true>(a, b)
        }
    }

    #[inline(always)]
    fn dot_neon<const SIGNED: bool>(left: &[u8], right: &[u8]) -> i32 {
        // SAFETY: NEON is always there on aarch64; each load reads 8 bytes of an 8-byte chunk.
        unsafe {
            let (mut low, mut high) = (vdupq_n_s32(0), vdupq_n_s32(0));
            for (l, r) in left.chunks_exact(8).zip(right.chunks_exact(8)) {
                let l = if SIGNED {
                    vmovl_s8(vld1_s8(l.as_ptr().cast()))
                } else {
                    vreinterpretq_s16_u16(vmovl_u8(vld1_u8(l.as_ptr())))
                };
                let r = vmovl_s8(vld1_s8(r.as_ptr().cast()));
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
        type Out = (i32, i32);
        #[inline(always)]
        fn run<K: Kernel>(self, kernel: K) -> (i32, i32) {
            (kernel.dot(self.0, self.1), kernel.dot_codes(self.0, self.1, self.2))
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
