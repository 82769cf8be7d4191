package hdf5

import "strings"

// LinkKind says what a link leads to.
type LinkKind byte

// Kinds of links.
const (
	HardLink     LinkKind = 0  // an object in this file
	SoftLink     LinkKind = 1  // a path in this file
	ExternalLink LinkKind = 64 // a path in another file
)

func (k LinkKind) String() string {
	switch k {
	case HardLink:
		return "hard link"
	case SoftLink:
		return "soft link"
	case ExternalLink:
		return "external link"
	}
	return "user-defined link"
}

// A Link is an entry of a group. Only hard links are followed; the others are
// listed, so that a caller can say what a file has that is not read.
type Link struct {
	Name   string
	Kind   LinkKind
	Target string // of a soft link its path, of an external one "file:path"
	addr   uint64 // of a hard link's object header
}

func (g *Group) addLink(l Link) error {
	if l.Name == "" || strings.ContainsAny(l.Name, "/\x00") {
		return formatErrorf("link name %q", l.Name)
	}
	g.links = append(g.links, l)
	return nil
}

// addLinkMessage parses a link of the newer kind:
//
//	version 1 | flags | type (0 or 1) | creation order (0 or 8) |
//	character set (0 or 1) | length of name (1, 2, 4, 8) | name | target
func (g *Group) addLinkMessage(data []byte) error {
	const creationOrder, linkType, characterSet = 0x04, 0x08, 0x10
	d := &decoder{buf: data, what: "link message"}
	if v := d.u8(); v != 1 {
		return unsupportedErrorf("link message version %d", v)
	}
	flags := d.u8()
	var l Link
	if flags&linkType != 0 {
		l.Kind = LinkKind(d.u8())
	}
	if flags&creationOrder != 0 {
		d.skip(8)
	}
	if flags&characterSet != 0 {
		d.skip(1)
	}
	length := d.uint(1 << (flags & 3))
	l.Name = string(d.take(int(min(length, 1<<20))))
	switch l.Kind {
	case HardLink:
		l.addr = d.u64()
	default: // the library defines 0, 1 and 64; 65 to 255 are the users'
		l.Target = linkTarget(l.Kind, d.take(int(d.u16())))
	}
	if d.err != nil {
		return d.err
	}
	return g.addLink(l)
}

func linkTarget(kind LinkKind, value []byte) string {
	if kind == ExternalLink && len(value) > 0 { // version and flags, file, path
		value = value[1:]
	}
	target := strings.TrimRight(string(value), "\x00")
	return strings.ReplaceAll(target, "\x00", ":")
}
