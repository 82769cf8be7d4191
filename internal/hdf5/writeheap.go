package hdf5

// placeStrings puts strings into global heap collections, which readCollection
// shows, and returns the elements that refer to them.
func (l *fileLayout) placeStrings(values []string) []byte {
	const (
		head        = 16
		minimum     = 4096 // of a collection
		mostObjects = 0xffff
	)
	elements := make([]byte, heapReferenceSize*len(values))
	for i := 0; i < len(values); {
		b := append(make([]byte, 0, minimum), "GCOL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
		index := uint16(0)
		for ; i < len(values) && index < mostObjects; i++ {
			s := values[i]
			if len(s) == 0 {
				continue // an element of zeros
			}
			if index > 0 && len(b)+head+len(s) > minimum {
				break
			}
			index++
			element := elements[heapReferenceSize*i:]
			le.PutUint32(element, uint32(len(s)))
			le.PutUint64(element[4:], l.end)
			le.PutUint32(element[12:], uint32(index))
			b = le.AppendUint16(b, index)
			b = append(b, 0, 0, 0, 0, 0, 0)
			b = le.AppendUint64(b, uint64(len(s)))
			b = pad8(append(b, s...))
		}
		if index > 0 {
			l.placeBytes(finishCollection(b, minimum))
		}
	}
	return elements
}

// finishCollection makes what is missing to the minimal size free space and
// stores the size.
func finishCollection(b []byte, minimum int) []byte {
	const head = 16
	if free := minimum - len(b); free > 0 {
		at := len(b)
		b = append(b, make([]byte, free)...)
		if free >= head {
			le.PutUint64(b[at+8:], uint64(free))
		}
	}
	le.PutUint64(b[8:], uint64(len(b)))
	return b
}
