/* 48 or 32 kHz -> 16 kHz: one stage or two, each of which filters and keeps some of the samples. decimation.py says
   how, and calls it.

   A stage holds its samples in rows, of every second or third one, so that the processor's vectors hold neighbouring
   outputs. Every output is the same sum in the same order wherever it stands: however the input is cut, the output
   is the same to the bit. The memory is the caller's; nothing is allocated or kept here. */

#include <stdint.h>

#ifdef __x86_64__
#pragma GCC target("avx2,fma") /* spectra.c says whether this processor has them. */
/* GCC would read memory once for each sum, and reading is what takes the time. */
#define READ_ONCE(vector) __asm__("" : "+x"(vector))
enum { LANES = 8, SUMS = 8 };
#else
/* 64-bit ARM: shorter vectors, twice as many of them, and it computes with what is in registers only. */
#define READ_ONCE(vector) (void)(vector)
enum { LANES = 4, SUMS = 16 };
#endif

enum { CHUNK = 4096, LONGEST = 136, ROOM = CHUNK / 2 + LONGEST + SUMS * LANES };

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef float lanes_anywhere __attribute__((vector_size(4 * LANES), aligned(4)));

struct oido_stage {
    const float *taps;    /* (outputs, rows, length) */
    const int64_t *begin; /* (rows): the first tap that is not 0 */
    const int64_t *end;   /* (rows): the one after the last */
    float *rows;          /* (rows, ROOM): what is held */
    int64_t length;       /* at most LONGEST */
    int64_t held;         /* samples, of all rows */
    int64_t outputs;      /* 1 from two rows, or 2 from three: so many for each sample of a row */
};

static inline void hold(struct oido_stage *stage, const float *in, int64_t size, const int rows) {
    for (int row = 0; row < rows; row++) {
        int64_t next = (row + rows - stage->held % rows) % rows;
        float *to = stage->rows + row * ROOM + (stage->held + next) / rows;
        for (; next < size; next += rows) *to++ = in[next];
    }
    stage->held += size;
}

/* All that what is held is enough for; gives their number. */
static inline int64_t filter(struct oido_stage *stage, float *out, const int rows, const int outputs) {
    const int vectors = SUMS / outputs; /* registers hold no more sums */
    const int64_t length = stage->length, places = stage->held / rows - length + 1;
    if (places <= 0) return 0;
    for (int64_t first = 0; first < places; first += vectors * LANES) {
        lanes sums[SUMS] = {{0}};
        for (int row = 0; row < rows; row++) {
            const float *from = stage->rows + row * ROOM + first, *taps = stage->taps + row * length;
            for (int64_t tap = stage->begin[row]; tap < stage->end[row]; tap++) {
#pragma GCC unroll 16
                for (int vector = 0; vector < vectors; vector++) {
                    lanes samples = *(const lanes_anywhere *)(from + tap + vector * LANES);
                    if (outputs > 1) READ_ONCE(samples);
#pragma GCC unroll 2
                    for (int output = 0; output < outputs; output++) {
                        sums[output * vectors + vector] += samples * taps[output * rows * length + tap];
                    }
                }
            }
        }
        /* Those that are not complete yet are summed, too, and nobody reads them. */
        const int64_t complete = places - first < vectors * LANES ? places - first : vectors * LANES;
        for (int64_t place = 0; place < complete; place++) {
            for (int output = 0; output < outputs; output++) {
                *out++ = sums[output * vectors + place / LANES][place % LANES];
            }
        }
    }
    for (int row = 0; row < rows; row++) {
        float *kept = stage->rows + row * ROOM;
        for (int64_t place = 0; place < length; place++) kept[place] = kept[place + places];
    }
    stage->held -= places * rows;
    return places * outputs;
}

/* size: at most CHUNK. */
static int64_t feed(struct oido_stage *stage, const float *in, int64_t size, float *out) {
    if (stage->outputs == 1) {
        hold(stage, in, size, 2);
        return filter(stage, out, 2, 1);
    }
    hold(stage, in, size, 3);
    return filter(stage, out, 3, 2);
}

/* out: room for as many as the input is long at 16 kHz, and 4. Gives how many there are, all within [-1, 1]. */
int64_t oido_decimate(struct oido_stage *stages, int64_t count, const float *in, int64_t size, float *out) {
    float between[CHUNK], *const begin = out;
    for (; size > 0; in += CHUNK, size -= CHUNK) {
        const int64_t now = size < CHUNK ? size : CHUNK;
        if (count == 1) {
            out += feed(stages, in, now, out);
        } else {
            out += feed(stages + 1, between, feed(stages, in, now, between), out);
        }
    }
    for (float *sample = begin; sample < out; sample++) {
        *sample = *sample > 1.0f ? 1.0f : *sample < -1.0f ? -1.0f : *sample;
    }
    return out - begin;
}
