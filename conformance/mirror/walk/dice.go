package walk

// Dice are a stream of random numbers, a function of the seed (SplitMix64).
type Dice struct{ state, seed uint64 }

// NewDice starts a stream. Streams of neighbouring seeds have nothing in common.
func NewDice(seed uint64) *Dice {
	d := &Dice{state: seed}
	return &Dice{state: d.next() ^ seed<<32, seed: seed}
}

func (d *Dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// N is a number in [0, n); n ≥ 1.
func (d *Dice) N(n int) int { return int(d.next() % uint64(n)) }

// In is true once in n times.
func (d *Dice) In(n int) bool { return d.N(n) == 0 }

// one is one of the items; the zero value if there are none.
func one[T any](d *Dice, items ...T) (x T) {
	if len(items) == 0 {
		return x
	}
	return items[d.N(len(items))]
}
