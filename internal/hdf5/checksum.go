package hdf5

import "math/bits"

// verifyChecksums is false in tests that are after what checksums protect.
var verifyChecksums = true

// checksumOK reports whether want is the checksum of a block of metadata.
func checksumOK(block []byte, want uint32) bool {
	return !verifyChecksums || lookup3(block) == want
}

// lookup3 is the checksum of all newer metadata: Bob Jenkins's "hashlittle"
// with an initial value of 0 (burtleburtle.net/bob/c/lookup3.c).
func lookup3(key []byte) uint32 {
	a := 0xdeadbeef + uint32(len(key))
	b, c := a, a
	if len(key) == 0 {
		return c
	}
	for len(key) > 12 {
		a += le.Uint32(key)
		b += le.Uint32(key[4:])
		c += le.Uint32(key[8:])
		a, b, c = lookup3Mix(a, b, c)
		key = key[12:]
	}
	var tail [12]byte
	copy(tail[:], key)
	a += le.Uint32(tail[:])
	b += le.Uint32(tail[4:])
	c += le.Uint32(tail[8:])
	return lookup3Final(a, b, c)
}

func lookup3Mix(a, b, c uint32) (uint32, uint32, uint32) {
	for _, r := range [2][3]int{{4, 6, 8}, {16, 19, 4}} {
		a = (a - c) ^ bits.RotateLeft32(c, r[0])
		c += b
		b = (b - a) ^ bits.RotateLeft32(a, r[1])
		a += c
		c = (c - b) ^ bits.RotateLeft32(b, r[2])
		b += a
	}
	return a, b, c
}

func lookup3Final(a, b, c uint32) uint32 {
	c = (c ^ b) - bits.RotateLeft32(b, 14)
	a = (a ^ c) - bits.RotateLeft32(c, 11)
	b = (b ^ a) - bits.RotateLeft32(a, 25)
	c = (c ^ b) - bits.RotateLeft32(b, 16)
	a = (a ^ c) - bits.RotateLeft32(c, 4)
	b = (b ^ a) - bits.RotateLeft32(a, 14)
	return (c ^ b) - bits.RotateLeft32(b, 24)
}

// fletcher32 is the checksum of the filter of that name: Fletcher's over
// big-endian 16-bit words with ones' complement sums, an odd last byte being
// the high half of a word.
func fletcher32(data []byte) uint32 {
	var sum1, sum2 uint32
	fold := func(s uint32) uint32 { return s&0xffff + s>>16 }
	for len(data) > 0 {
		block := data[:min(len(data), 720)] // 360 words do not overflow sum2
		data = data[len(block):]
		for len(block) >= 2 {
			sum1 += uint32(block[0])<<8 | uint32(block[1])
			sum2 += sum1
			block = block[2:]
		}
		if len(block) == 1 {
			sum1 += uint32(block[0]) << 8
			sum2 += sum1
		}
		sum1, sum2 = fold(sum1), fold(sum2)
	}
	return fold(sum2)<<16 | fold(sum1)
}
