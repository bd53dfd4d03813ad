/* Moves the pixels of a text line as PaddleOCR's TIA augmentation does: rigid moving least squares (Schaefer, McPhail and
 * Warren, "Image deformation using moving least squares", SIGGRAPH 2006) on a coarse grid, bilinear between its nodes and
 * between pixels. container/trainer/pipeline/warp_numpy.py is the same in NumPy, to the bit: every sum here has its order,
 * and nothing may be contracted or reordered (see FLAGS in build.py).
 */
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define GRID 100 /* pixels between the nodes at which the deformation is solved, as in PaddleOCR's WarpMLS */
#define ONE 4294967296.0 /* positions are fixed point with 32 bits behind the point */

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef struct {
    double x, y;
} Point;

typedef float Pixel __attribute__((vector_size(16))); /* blue, green, red, and one lane that is not used */

/* Where the pixel at `at` of the result comes from, as the way from `at`. `to`: control points in the result, `from`:
 * the same in the source. On a control point its own move counts; on the last one that of all others together, which is
 * a slip of PaddleOCR's that changes pixels. */
static Point way_back(Point at, const Point *from, const Point *to, int count)
{
    double w[64], sum = 0, spread = 0;
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

static int64_t within(int64_t value, int64_t most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

/* The three bytes of a pixel as floats. GCC converts a vector of bytes one by one when it is not told how. */
static Pixel as_floats(uint32_t bits)
{
#ifdef __SSE2__
    __m128i zero = _mm_setzero_si128(), bytes = _mm_cvtsi32_si128((int)bits);
    return (Pixel)_mm_cvtepi32_ps(_mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes, zero), zero));
#else
    return (Pixel){bits & 255, bits >> 8 & 255, bits >> 16 & 255, 0};
#endif
}

static uint32_t as_bytes(Pixel pixel)
{
#ifdef __SSE2__
    __m128i whole = _mm_cvttps_epi32((__m128)pixel);
    whole = _mm_packs_epi32(whole, whole);
    return (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(whole, whole));
#else
    return (uint32_t)pixel[0] | (uint32_t)pixel[1] << 8 | (uint32_t)pixel[2] << 16;
#endif
}

static Pixel load(const uint8_t *at)
{
    uint32_t bits;
    memcpy(&bits, at, 4);
    return as_floats(bits);
}

/* The pixel after `at`, without touching the byte behind it: there may be none. */
static Pixel load_next(const uint8_t *at)
{
    uint32_t bits;
    memcpy(&bits, at + 2, 4);
    return as_floats(bits >> 8);
}

/* One row of a cell: `count` pixels of the result. x and y are where the first comes from, and how far the next is. */
static void move_row(const uint8_t *source, int width, int height, uint8_t *result, int count, int64_t x, int64_t by_x,
                     int64_t y, int64_t by_y)
{
    int64_t right = (int64_t)(width - 1) << 32, bottom = (int64_t)(height - 1) << 32;
    for (int j = 0; j < count; j++, x += by_x, y += by_y, result += 3) {
        int64_t at_x = within(x, right), at_y = within(y, bottom);
        int64_t column = at_x >> 32, row = at_y >> 32;
        column -= column == width - 1; /* the last pixel is the neighbour, wholly, of the one before */
        row -= row == height - 1;
        float fx = (float)((at_x - (column << 32)) >> 8) * 0x1p-24f;
        float fy = (float)((at_y - (row << 32)) >> 8) * 0x1p-24f;
        const uint8_t *above = source + 3 * (row * width + column), *below = above + 3 * (int64_t)width;
        Pixel a = load(above), b = load_next(above), c = load(below), d = load_next(below);
        a += (b - a) * fx;
        c += (d - c) * fx;
        a += (c - a) * fy;
        uint32_t bytes = as_bytes(a);
        memcpy(result, &bytes, 3);
    }
}

/* source, result: (height, width, 3) bytes, both at least 2 pixels wide and high.
 * from, to: (count, 2) doubles, x and y in pixels, at most 64. */
EXPORT void warp(const uint8_t *source, uint8_t *result, int width, int height, const Point *from, const Point *to,
                 int count)
{
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
                move_row(source, width, height, result + 3 * ((int64_t)(top + i) * width + left), columns,
                         (int64_t)((left + first.x) * ONE), (int64_t)(((last.x - first.x) / columns + 1) * ONE),
                         (int64_t)((top + i + first.y) * ONE), (int64_t)((last.y - first.y) / columns * ONE));
            }
        }
    }
}
