/* The front end's transform: windowed frames of a signal -> magnitudes of the mel bands.

   It is what transforms.py says with arrays, frame for frame, in less than half of the time: several frames go
   through each instruction side by side, one to a lane of the processor's vectors, and nothing between signal and
   bands is written out. All up to the magnitude is in double precision, for the reason given there.

   The build compiles it where there is a compiler (hatch_build.py); compiled.py calls it. It calls nothing itself,
   allocates nothing and keeps nothing. */

#include <stdint.h>

#ifdef __x86_64__
/* Every x86-64 processor has SSE2, whose vectors are too short to gain by. Most have AVX2, since 2013; where one has
   not, compiled.py leaves the work to numpy. */
int oido_is_supported(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#pragma GCC target("avx2,fma")
#define LANES 4
#else
/* 64-bit ARM: NEON's vectors hold two doubles, on every such processor. */
int oido_is_supported(void) { return 1; }
#define LANES 2
#endif

enum { WINDOW = 400, HOP = 160, SIZE = 512, HALF = SIZE / 2, BINS = HALF + 1, BANDS = 64 };

typedef double lanes __attribute__((vector_size(8 * LANES)));
typedef float float_lanes __attribute__((vector_size(4 * LANES)));
typedef struct {
    lanes re, im;
} complex_lanes;

struct oido_tables {
    const double *window;  /* (WINDOW) */
    const double *roots;   /* (SIZE, 2): exp(-2 pi i k / SIZE), real and imaginary part */
    const float *weights;  /* (BANDS, BINS) */
    const int32_t *begin;  /* (BANDS): the first bin that a band hears */
    const int32_t *end;    /* (BANDS): the one after the last */
};

static inline complex_lanes plus(complex_lanes a, complex_lanes b) {
    return (complex_lanes){a.re + b.re, a.im + b.im};
}

static inline complex_lanes minus(complex_lanes a, complex_lanes b) {
    return (complex_lanes){a.re - b.re, a.im - b.im};
}

static inline complex_lanes times(complex_lanes a, const double *root) {
    return (complex_lanes){a.re * root[0] - a.im * root[1], a.re * root[1] + a.im * root[0]};
}

static inline complex_lanes times_i(complex_lanes a) { return (complex_lanes){-a.im, a.re}; }

/* One step of Stockham's algorithm in radix 4 (Van Loan, Computational Frameworks for the Fast Fourier Transform,
   1992, section 1.7): `stride` interleaved transforms of `size` become four times as many of a quarter of it. */
static inline void step(const complex_lanes *in, complex_lanes *out, int size, int stride, const double *roots) {
    const int quarter = size / 4, turn = 2 * (SIZE / size);
    for (int p = 0; p < quarter; p++) {
        for (int q = 0; q < stride; q++) {
            const complex_lanes *from = in + q + stride * p;
            complex_lanes *to = out + q + 4 * stride * p;
            const complex_lanes a = from[0], b = from[stride * quarter];
            const complex_lanes c = from[2 * stride * quarter], d = from[3 * stride * quarter];
            const complex_lanes even = plus(a, c), odd = minus(a, c);
            const complex_lanes even_too = plus(b, d), odd_too = times_i(minus(b, d));
            to[0] = plus(even, even_too);
            to[stride] = times(minus(odd, odd_too), roots + turn * p);
            to[2 * stride] = times(minus(even, even_too), roots + 2 * turn * p);
            to[3 * stride] = times(plus(odd, odd_too), roots + 3 * turn * p);
        }
    }
}

/* The even samples are the real part of a signal half as long, the odd ones its imaginary part. */
static inline void load(const float *const *frame, const double *window, complex_lanes *signal) {
    for (int n = 0; n < WINDOW / 2; n++) {
        lanes re, im;
        for (int lane = 0; lane < LANES; lane++) {
            re[lane] = frame[lane][2 * n];
            im[lane] = frame[lane][2 * n + 1];
        }
        signal[n] = (complex_lanes){re * window[2 * n], im * window[2 * n + 1]};
    }
    for (int n = WINDOW / 2; n < HALF; n++) signal[n] = (complex_lanes){{0}, {0}};
}

/* The spectrum of the real signal, twice over, out of that of the packed one (Press et al., Numerical Recipes,
   section 12.3), and its power. */
static inline void unpack(const complex_lanes *packed, const double *roots, float_lanes *power) {
    for (int k = 0; k <= HALF / 2; k++) {
        const complex_lanes here = packed[k], there = packed[(HALF - k) % HALF];
        const complex_lanes even = {here.re + there.re, here.im - there.im};
        const complex_lanes odd = times((complex_lanes){here.im + there.im, there.re - here.re}, roots + 2 * k);
        const complex_lanes low = plus(even, odd), high = minus(even, odd);
        power[k] = __builtin_convertvector(low.re * low.re + low.im * low.im, float_lanes);
        power[HALF - k] = __builtin_convertvector(high.re * high.re + high.im * high.im, float_lanes);
    }
}

/* signal: 160 * (frames - 1) + 400 samples; mel: (frames, BANDS). */
void oido_spectra(const float *signal, int64_t frames, const struct oido_tables *tables, float *mel) {
    complex_lanes one[HALF], other[HALF];
    union {
        float_lanes lanes[BINS];
        float each[BINS * LANES];
    } bins;
    for (int64_t first = 0; first < frames; first += LANES) {
        /* Lanes too many hear the last frame once more, and nobody reads what they say. */
        const int count = frames - first < LANES ? (int)(frames - first) : LANES;
        const float *frame[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            frame[lane] = signal + HOP * (first + (lane < count ? lane : count - 1));
        }
        load(frame, tables->window, one);
        step(one, other, 256, 1, tables->roots);
        step(other, one, 64, 4, tables->roots);
        step(one, other, 16, 16, tables->roots);
        step(other, one, 4, 64, tables->roots);
        unpack(one, tables->roots, bins.lanes);
        /* The spectrum is there twice. One row of numbers: the processor's vectors hold more of them than LANES. */
        for (int n = 0; n < BINS * LANES; n++) bins.each[n] = 0.5f * __builtin_sqrtf(bins.each[n]);
        for (int band = 0; band < BANDS; band++) {
            float_lanes sum = {0};
            for (int k = tables->begin[band]; k < tables->end[band]; k++) {
                sum += bins.lanes[k] * tables->weights[band * BINS + k];
            }
            for (int lane = 0; lane < count; lane++) mel[(first + lane) * BANDS + band] = sum[lane];
        }
    }
}
