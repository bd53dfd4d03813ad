/* The loops over pixels that NumPy and OpenCV have no fast way for: lines of text bent, noise, and bytes made into planes
 * of floats. warp_numpy.py, noise.py and planes.py are the same in NumPy, to the bit: every sum here has its order, and
 * nothing may be contracted or reordered (FLAGS in build.py). Little-endian, as every machine that paddle runs on.
 */
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* --- warp: rigid moving least squares (Schaefer, McPhail and Warren, "Image deformation using moving least squares",
 * SIGGRAPH 2006) on a coarse grid, bilinear between its nodes and between pixels, as PaddleOCR's WarpMLS has it. */

#define GRID 100       /* pixels between nodes, as there */
#define MOST_POINTS 64 /* control points */
#define WEIGHT 16384   /* of two neighbours in a column, together */

typedef struct {
    double x, y;
} Point;

/* Blue, green, red and nothing from the lowest bits on, 16 bits each: two neighbours are one register. */
typedef uint64_t Pixel;

/* Where the node at `at` comes from, as the way from it. `to`: control points in the result, `from`: the same in the
 * source. On a control point its own move counts; on the last one that of all others together, which is a slip of
 * PaddleOCR's that changes pixels. */
static Point way_back(Point at, const Point *from, const Point *to, int count)
{
    double w[MOST_POINTS], sum = 0, spread = 0;
    Point p = {0, 0}, q = {0, 0}, moved = {0, 0};
    for (int k = 0; k < count; k++) {
        double dx = at.x - to[k].x, dy = at.y - to[k].y;
        if (dx == 0 && dy == 0) {
            if (k < count - 1)
                return (Point){from[k].x - at.x, from[k].y - at.y};
            w[k] = 0;
            break;
        }
        w[k] = 1 / (dx * dx + dy * dy);
        sum += w[k];
        p.x += w[k] * to[k].x;
        p.y += w[k] * to[k].y;
        q.x += w[k] * from[k].x;
        q.y += w[k] * from[k].y;
    }
    p.x /= sum;
    p.y /= sum;
    for (int k = 0; k < count; k++) {
        double x = to[k].x - p.x, y = to[k].y - p.y;
        double along = x * (at.x - p.x) + y * (at.y - p.y), across = x * (at.y - p.y) - y * (at.x - p.x);
        spread += w[k] * (x * x + y * y);
        moved.x += w[k] * (along * from[k].x - across * from[k].y);
        moved.y += w[k] * (across * from[k].x + along * from[k].y);
    }
    return (Point){moved.x / spread + q.x / sum - at.x, moved.y / spread + q.y / sum - at.y};
}

/* Positions along one side for `count` pixels of the result, counted from the side's `origin`: of the first and from one
 * to the next. They stay within the side's `length`. before: the pixel at or before each; beyond: how far behind that it
 * is, where the last pixel is the neighbour, wholly, of the one before. */
static void place(float first, float step, int count, int origin, int length, int32_t *before, float *beyond)
{
    float least = (float)-origin, most = (float)(length - 1 - origin), last = most - 1;
    for (int j = 0; j < count; j++) {
        float at = first + step * (float)j;
        at = at > least ? at : least; /* whatever is no number either: nothing is ever read outside of the image */
        at = at < most ? at : most;
        float low = at < last ? at : last;
        int32_t whole = (int32_t)low;
        whole -= (float)whole > low;
        before[j] = origin + whole;
        beyond[j] = at - (float)whole;
    }
}

/* The mean of two neighbours in each of two rows, weighted in whole numbers up (the lower half of `weights`) and down (the
 * upper half), then in floats along the row. */
static Pixel between(const Pixel *above, const Pixel *below, int32_t weights, float along)
{
#ifdef __SSE2__
    __m128i upper = _mm_loadu_si128((const __m128i *)above), lower = _mm_loadu_si128((const __m128i *)below);
    __m128i both = _mm_set1_epi32(weights);
    __m128 left = _mm_cvtepi32_ps(_mm_madd_epi16(_mm_unpacklo_epi16(upper, lower), both));
    __m128 right = _mm_cvtepi32_ps(_mm_madd_epi16(_mm_unpackhi_epi16(upper, lower), both));
    left = _mm_add_ps(left, _mm_mul_ps(_mm_sub_ps(right, left), _mm_set1_ps(along)));
    __m128i whole = _mm_cvttps_epi32(_mm_mul_ps(left, _mm_set1_ps(1.0f / WEIGHT)));
    Pixel result;
    _mm_storel_epi64((__m128i *)&result, _mm_packs_epi32(whole, whole));
    return result;
#else
    Pixel result = 0;
    int up = weights & 0xffff, down = weights >> 16;
    for (int bit = 0; bit < 48; bit += 16) {
        float left = (float)((int)(above[0] >> bit & 255) * up + (int)(below[0] >> bit & 255) * down);
        float right = (float)((int)(above[1] >> bit & 255) * up + (int)(below[1] >> bit & 255) * down);
        left += (right - left) * along;
        result |= (Pixel)(left * (1.0f / WEIGHT)) << bit;
    }
    return result;
#endif
}

static void warp_once(const Pixel *source, Pixel *result, int width, int height, const Point *from, const Point *to,
                      int count)
{
    int32_t column[GRID], row[GRID], offset[GRID], weights[GRID];
    float along[GRID], down[GRID];
    for (int top = 0; top < height; top += GRID) {
        int bottom = top + GRID < height ? top + GRID : height - 1;
        int rows = top + GRID < height ? GRID : height - top;
        for (int left = 0; left < width; left += GRID) {
            int right = left + GRID < width ? left + GRID : width - 1;
            int columns = left + GRID < width ? GRID : width - left;
            Point top_left = way_back((Point){left, top}, from, to, count);
            Point top_right = way_back((Point){right, top}, from, to, count);
            Point bottom_left = way_back((Point){left, bottom}, from, to, count);
            Point bottom_right = way_back((Point){right, bottom}, from, to, count);
            for (int i = 0; i < rows; i++) {
                double share = (double)i / rows;
                Point first = {top_left.x + (bottom_left.x - top_left.x) * share,
                               top_left.y + (bottom_left.y - top_left.y) * share};
                Point last = {top_right.x + (bottom_right.x - top_right.x) * share,
                              top_right.y + (bottom_right.y - top_right.y) * share};
                place((float)first.x, (float)((last.x - first.x) / columns + 1), columns, left, width, column, along);
                place((float)first.y, (float)((last.y - first.y) / columns), columns, top + i, height, row, down);
                Pixel *to_fill = result + (int64_t)(top + i) * width + left;
                for (int j = 0; j < columns; j++) { /* apart from the next loop: this one becomes vectors */
                    int32_t lower = (int32_t)(down[j] * WEIGHT + 0.5f);
                    weights[j] = (WEIGHT - lower) | lower << 16;
                    offset[j] = row[j] * width + column[j];
                }
                for (int j = 0; j < columns; j++)
                    to_fill[j] = between(source + offset[j], source + offset[j] + width, weights[j], along[j]);
            }
        }
    }
}

/* Several warps, one after the other, of an image of (height, width, 3) bytes, both at least 2. work: room for 16 bytes a
 * pixel. points: for each warp `counts` pairs of doubles, x and y in pixels, in the source, then as many in the result;
 * at most MOST_POINTS. */
EXPORT void warp(const uint8_t *source, uint8_t *result, Pixel *work, int width, int height, const Point *points,
                 const int *counts, int warps)
{
    int64_t pixels = (int64_t)width * height;
    Pixel *now = work, *next = work + pixels;
    for (int64_t at = 0; at < pixels; at++)
        now[at] = source[3 * at] | (Pixel)source[3 * at + 1] << 16 | (Pixel)source[3 * at + 2] << 32;
    for (int done = 0; done < warps; done++) {
        warp_once(now, next, width, height, points, points + counts[done], counts[done]);
        points += 2 * counts[done];
        Pixel *swapped = now;
        now = next;
        next = swapped;
    }
    for (int64_t at = 0; at < pixels; at++)
        for (int c = 0; c < 3; c++)
            result[3 * at + c] = (uint8_t)(now[at] >> 16 * c);
}

/* --- noise: every one of `count` bytes less by a random bit, and none below 0. The bits are SplitMix64's (Steele, Lea and
 * Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), the lowest of a number first. */

static uint64_t next_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Eight bytes at a time in one register: a 1 in each byte that holds anything. */
static uint64_t ones(uint64_t bytes)
{
    return (((bytes & 0x7f7f7f7f7f7f7f7f) + 0x7f7f7f7f7f7f7f7f) | bytes) >> 7 & 0x0101010101010101;
}

static uint64_t less_bits(uint64_t bytes, uint64_t bits)
{
    return bytes - (ones((bits & 255) * 0x0101010101010101 & 0x8040201008040201) & ones(bytes));
}

EXPORT void subtract_bits(const uint8_t *source, uint8_t *result, int64_t count, uint64_t seed)
{
    uint64_t bits = 0, bytes;
    int64_t at = 0;
    for (; at + 8 <= count; at += 8) {
        bits = at % 64 ? bits >> 8 : next_bits(&seed);
        memcpy(&bytes, source + at, 8);
        bytes = less_bits(bytes, bits);
        memcpy(result + at, &bytes, 8);
    }
    bits = at % 64 ? bits >> 8 : next_bits(&seed);
    for (; at < count; at++, bits >>= 1)
        result[at] = (uint8_t)(source[at] - (source[at] > 0 && bits & 1));
}

/* --- planes: (count, height, width, 3) bytes to (count, 3, height, width) floats by a table of 256; of each image as
 * many columns as `widths` says, and zeros behind them. */
EXPORT void planes(const uint8_t *images, float *result, int count, int height, int width, const int32_t *widths,
                   const float *table)
{
    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < height; y++, result += width) {
                const uint8_t *row = images + ((int64_t)i * height + y) * width * 3 + c;
                for (int x = 0; x < widths[i]; x++)
                    result[x] = table[row[3 * x]];
                memset(result + widths[i], 0, sizeof(float) * (size_t)(width - widths[i]));
            }
}
