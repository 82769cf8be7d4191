package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// barWidth is the number of characters between the bar's brackets.
const barWidth = 24

// imageBar draws how many images have gone through the base: the share done, images a second and the time left.
type imageBar struct {
	w   io.Writer
	now func() time.Time

	all, done int // of the images that are being counted
	first     int // done when the clock began to run
	began     time.Time
	drawn     time.Time
}

// on hears that so many of the images are done. A number that is not larger than the last begins a new count.
func (b *imageBar) on(done, all int) {
	now := b.now()
	if done <= b.done || all != b.all {
		b.all, b.first, b.began, b.drawn = all, done, now, time.Time{}
	}
	b.done = done
	if b.done == b.all {
		fmt.Fprintf(b.w, "\r%s\x1b[K\n", b.line(now))
	} else if now.Sub(b.drawn) >= 100*time.Millisecond {
		b.drawn = now
		fmt.Fprintf(b.w, "\r%s\x1b[K", b.line(now))
	}
}

// line is what on draws: "images 120/750 [===>    ]  16 % 81 images/s, 8s left".
func (b *imageBar) line(now time.Time) string {
	share := float64(b.done) / float64(max(b.all, 1))
	full := int(share * barWidth)
	text := fmt.Sprintf("images %d/%d [%s%s] %3.0f %%", b.done, b.all, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), 100*share)
	seconds := now.Sub(b.began).Seconds()
	if b.done == b.first || seconds <= 0 {
		return text
	}
	rate := float64(b.done-b.first) / seconds
	if text = fmt.Sprintf("%s %.0f images/s", text, rate); b.done == b.all {
		return text
	}
	left := time.Duration(float64(b.all-b.done) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s, %v left", text, left)
}
