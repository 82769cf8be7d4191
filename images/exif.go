package images

import (
	"bytes"
	"encoding/binary"
	"image"
)

// orientation returns the EXIF orientation of a JPEG, 1 to 8; 1 (as it is) where there is none.
func orientation(jpeg []byte) int {
	for at := 2; at+4 <= len(jpeg) && jpeg[at] == 0xff; {
		marker, size := jpeg[at+1], int(binary.BigEndian.Uint16(jpeg[at+2:]))
		if marker == 0xda || size < 2 || at+2+size > len(jpeg) { // start of scan: no more metadata
			break
		}
		if tiff, ok := bytes.CutPrefix(jpeg[at+4:at+2+size], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return tiffOrientation(tiff)
		}
		at += 2 + size
	}
	return 1
}

// tiffOrientation returns the value of tag 0x0112 in the first directory of a TIFF header (EXIF 2.32, 4.6.4).
func tiffOrientation(tiff []byte) int {
	var order binary.ByteOrder = binary.BigEndian
	if bytes.HasPrefix(tiff, []byte("II*\x00")) {
		order = binary.LittleEndian
	} else if !bytes.HasPrefix(tiff, []byte("MM\x00*")) {
		return 1
	}
	if len(tiff) < 8 {
		return 1
	}
	start := uint64(order.Uint32(tiff[4:]))
	if start+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[start+2:]
	for range order.Uint16(tiff[start:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == 0x0112 {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			break
		}
		entries = entries[12:]
	}
	return 1
}

// upright turns an image of c channels as its orientation asks: odd ones from 3 on and 2 mirror, from 5 on rows become columns.
func upright(pixels []uint8, size image.Point, c, orientation int) ([]uint8, image.Point) {
	if orientation == 1 {
		return pixels, size
	}
	turned := size
	if orientation >= 5 {
		turned = image.Pt(size.Y, size.X)
	}
	out := make([]uint8, len(pixels))
	right, bottom := size.X-1, size.Y-1
	for y := range turned.Y {
		for x := range turned.X {
			from := [...]image.Point{
				2: {right - x, y}, 3: {right - x, bottom - y}, 4: {x, bottom - y},
				5: {y, x}, 6: {y, bottom - x}, 7: {right - y, bottom - x}, 8: {right - y, x},
			}[orientation]
			copy(out[(y*turned.X+x)*c:][:c], pixels[(from.Y*size.X+from.X)*c:])
		}
	}
	return out, turned
}
