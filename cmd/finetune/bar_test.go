package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestImageBar(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	b := &imageBar{w: &out, now: func() time.Time { return now }}
	says := func(want string) {
		t.Helper()
		require.Contains(t, out.String(), want)
		out.Reset()
	}
	b.on(8, 96)
	says("images 8/96 [==                      ]   8 %\x1b[K")
	now = now.Add(2 * time.Second)
	b.on(48, 96)
	says("images 48/96 [============            ]  50 % 20 images/s, 2s left\x1b[K")
	b.on(49, 96)
	require.Empty(t, out.String(), "it was drawn just now")
	now = now.Add(2 * time.Second)
	b.on(96, 96)
	says("] 100 % 22 images/s\x1b[K\n")
	now = now.Add(time.Hour)
	b.on(4, 4)
	says("\rimages 4/4 [========================] 100 %\x1b[K\n")
}
