package explore

// PRNGVersion names the generator: 1 is splitmix64, numbers below n by the high
// half of a 32 by 32 bit product. Seeds mean nothing across versions.
const PRNGVersion = 1

// PRNG is a small generator of its own, so that a seed means the same for ever.
type PRNG struct{ state uint64 }

// NewPRNG makes a generator from a seed.
func NewPRNG(seed uint64) PRNG { return PRNG{state: seed} }

// Uint64 is the next number.
func (r *PRNG) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Below is the next number in [0,n), for 1 ≤ n < 2^31.
func (r *PRNG) Below(n int) int { return int((r.Uint64() >> 32) * uint64(n) >> 32) }
