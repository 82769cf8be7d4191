package hdf5

import "slices"

// Types of header messages (format specification, section IV.A.2).
const (
	msgNil           = 0x00
	msgDataspace     = 0x01
	msgLinkInfo      = 0x02
	msgDatatype      = 0x03
	msgOldFillValue  = 0x04
	msgFillValue     = 0x05
	msgLink          = 0x06
	msgExternalFiles = 0x07
	msgLayout        = 0x08
	msgFilters       = 0x0b
	msgAttribute     = 0x0c
	msgContinuation  = 0x10
	msgSymbolTable   = 0x11
	msgAttributeInfo = 0x15
	msgLast          = 0x18 // the highest type there is
)

// A message is one property of an object.
type message struct {
	kind  uint16
	flags byte
	data  []byte
}

// shared reports whether data say where the message is, instead of being it.
func (m message) shared() bool { return m.flags&2 != 0 }

type messages []message

func (ms messages) has(kind uint16) bool {
	return slices.ContainsFunc(ms, func(m message) bool { return m.kind == kind })
}

// find returns the only message of a kind; ok is false if there is none.
func (ms messages) find(kind uint16) (found message, ok bool, err error) {
	for _, m := range ms {
		if m.kind != kind {
			continue
		}
		if ok {
			return message{}, false, formatErrorf("two header messages of type %#x", kind)
		}
		found, ok = m, true
	}
	return found, ok, nil
}

// need is find for a message that must be there.
func (ms messages) need(kind uint16, what string) (message, error) {
	m, ok, err := ms.find(kind)
	if err == nil && !ok {
		err = formatErrorf("object header without a %s", what)
	}
	return m, err
}

// A headerReader collects an object header's messages from its chunks.
type headerReader struct {
	f         *File
	messages  messages
	count     int    // of messages, continuations included
	chunks    []span // in order; continuation messages append
	bytes     uint64 // in chunks
	prefix    int    // bytes before a message's data
	readChunk func(i int) (*decoder, error)
}

type span struct{ addr, size uint64 }

// readObjectHeader returns the messages of the object header at addr.
func (f *File) readObjectHeader(addr uint64) (messages, error) {
	start, err := f.read(addr, 16)
	if err != nil {
		return nil, err
	}
	h := &headerReader{f: f}
	switch {
	case string(start[:4]) == "OHDR" && start[4] == 2:
		err = h.readV2(addr, start[5])
	case start[0] == 1 && start[1] == 0:
		err = h.readV1(addr, start)
	default:
		err = formatErrorf("no object header at address %d", addr)
	}
	return h.messages, err
}

// readV1 reads a header that starts with
//
//	version 1 | 0 | number of messages (2) | references (4) | size (4) | 0 (4)
//
// and goes on with messages of
//
//	type (2) | size (2) | flags | 0 (3) | data
func (h *headerReader) readV1(addr uint64, start []byte) error {
	h.prefix = 8
	h.readChunk = func(i int) (*decoder, error) {
		buf, err := h.f.read(h.chunks[i].addr, h.chunks[i].size)
		return &decoder{buf: buf, what: "object header"}, err
	}
	next := func(d *decoder) (message, int) {
		m := message{kind: d.u16()}
		size := d.u16()
		m.flags = d.u8()
		d.skip(3)
		return m, int(size)
	}
	if err := h.addChunk(addr+16, uint64(le.Uint32(start[8:]))); err != nil {
		return err
	}
	if err := h.readChunks(next); err != nil {
		return err
	}
	if want := int(le.Uint16(start[2:])); h.count != want {
		return formatErrorf("object header at address %d: %d messages, not the %d that it should have", addr, h.count, want)
	}
	return nil
}

// readV2 reads a header that starts with
//
//	OHDR | 2 | flags | times (0 or 16) | limits (0 or 4) | size (1, 2, 4, 8)
//
// and goes on with messages of
//
//	type | size (2) | flags | creation order (0 or 2) | data
//
// Its first chunk, and each "OCHK" chunk that continues it, has a checksum.
func (h *headerReader) readV2(addr uint64, flags byte) error {
	const creationOrder, limits, times = 0x04, 0x10, 0x20
	start, width := uint64(6), uint64(1)<<(flags&3)
	if flags&times != 0 {
		start += 16
	}
	if flags&limits != 0 {
		start += 4
	}
	size, err := h.f.read(addr+start, width)
	if err != nil {
		return err
	}
	start += width
	h.prefix = 4
	if flags&creationOrder != 0 {
		h.prefix = 6
	}
	h.readChunk = func(i int) (*decoder, error) {
		if i > 0 {
			return h.f.readBlock(h.chunks[i].addr, h.chunks[i].size, "OCHK", "object header continuation")
		}
		d, err := h.f.readBlock(h.chunks[0].addr, h.chunks[0].size, "OHDR", "object header")
		if err == nil {
			d.skip(int(start) - 4)
		}
		return d, err
	}
	next := func(d *decoder) (message, int) {
		m := message{kind: uint16(d.u8())}
		size := d.u16()
		m.flags = d.u8()
		d.skip(h.prefix - 4)
		return m, int(size)
	}
	total := uintLE(size)
	if total > h.f.size {
		return formatErrorf("object header of %d bytes in a file of %d", total, h.f.size)
	}
	if err := h.addChunk(addr, start+total+4); err != nil {
		return err
	}
	return h.readChunks(next)
}

// addChunk appends a chunk to read. Chunks of one header do not overlap, so
// together they are no larger than the file; that stops loops, too.
func (h *headerReader) addChunk(addr, size uint64) error {
	if err := h.f.checkRange(addr, size); err != nil {
		return err
	}
	h.bytes += size
	if size == 0 || h.bytes > h.f.size {
		return formatErrorf("object header chunk at address %d is empty or part of a loop", addr)
	}
	h.chunks = append(h.chunks, span{addr, size})
	return nil
}

func (h *headerReader) readChunks(next func(*decoder) (message, int)) error {
	for done := 0; ; done++ {
		if done == len(h.chunks) { // continuations among the messages add some
			return nil
		}
		d, err := h.readChunk(done)
		if err != nil {
			return err
		}
		for len(d.buf) >= h.prefix { // a rest that is shorter is a gap
			m, size := next(d)
			m.data = d.take(size)
			if d.err != nil {
				return d.err
			}
			if err := h.add(m); err != nil {
				return err
			}
		}
	}
}

func (h *headerReader) add(m message) error {
	h.count++
	switch {
	case m.kind > msgLast:
		return unsupportedErrorf("header message of unknown type %#x", m.kind)
	case m.kind == msgContinuation:
		d := &decoder{buf: m.data, what: "continuation message"}
		addr, size := d.u64(), d.u64()
		if d.err != nil {
			return d.err
		}
		return h.addChunk(addr, size)
	case m.kind != msgNil:
		h.messages = append(h.messages, m)
	}
	return nil
}
