"""The values of TestPinned, computed independently of Go: python3 pinned.py"""
MASK = (1 << 64) - 1


def philox(counter, key):
    c, k = list(counter), list(key)
    for turn in range(10):
        if turn:
            k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
        a, b = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(b >> 64) ^ c[1] ^ k[0], b & MASK, (a >> 64) ^ c[3] ^ k[1], a & MASK]
    return c


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & MASK
    return h


def mix(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    return (x ^ x >> 27) * 0x94D049BB133111EB & MASK


def table(n, key, round):
    words = (w for block in range(1 << 30) for w in philox((block, n, round, 0), key))
    t = [0] * n
    for i in range(1, n):
        while True:
            product = next(words) * (i + 1)
            if product & MASK >= (1 << 64) % (i + 1):
                break
        t[i] = t[product >> 64]
        t[product >> 64] = i
    return t.__getitem__


def network(n, key, round):
    subkey = philox((0, n, round, 0), key) + philox((1, n, round, 0), key)
    b = (n - 1).bit_length()
    left_bits, right_bits = b // 2, b - b // 2

    def at(i):
        while True:
            left, right = i >> right_bits, i & (1 << right_bits) - 1
            for r in range(0, 8, 2):
                left ^= mix(right ^ subkey[r]) >> 64 - left_bits
                right ^= mix(left ^ subkey[r + 1]) >> 64 - right_bits
            i = left << right_bits | right
            if i < n:
                return i

    return at


for n, round in (5, 0), (64, 3), (65, 0), (10**9, 7):
    at = (table if n <= 64 else network)(n, (42, fnv1a(b"shuffle\x000")), round)
    print(n, round, [at(i) for i in range(min(n, 6))])
