package tfevents

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Writer writes one event file. It is not safe for concurrent use.
type Writer struct {
	file   *os.File
	buffer *bufio.Writer
	now    func() time.Time
}

// Create makes the directory if it is not there, and a new event file in it.
func Create(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	// The name of tensorflow/core/util/events_writer.cc; the last number keeps runs within a second apart.
	name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d.%d.v2", time.Now().Unix(), host, os.Getpid(), time.Now().Nanosecond())
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	w := &Writer{file: file, buffer: bufio.NewWriter(file), now: time.Now}
	// Event.file_version, field 3, tells readers the format.
	if err := w.event(0, 3, []byte("brain.Event:2")); err != nil {
		file.Close()
		return nil, err
	}
	return w, nil
}

// Scalar adds a point to a curve.
func (w *Writer) Scalar(tag string, step int64, value float64) error {
	return w.summary(tag, step, "scalars", appendFloat(nil, 2, float32(value))) // simple_value
}

// PNG adds an image: the bytes of a PNG file and its size in pixels.
func (w *Writer) PNG(tag string, step int64, png []byte, width, height int) error {
	image := appendVarint(nil, 1, int64(height))
	image = appendVarint(image, 2, int64(width))
	image = appendVarint(image, 3, 3) // colorspace: RGB
	image = appendBytes(image, 4, png)
	return w.summary(tag, step, "images", appendBytes(nil, 4, image))
}

// Text adds a text, shown as Markdown.
func (w *Writer) Text(tag string, step int64, text string) error {
	tensor := appendVarint(nil, 1, 7) // TensorProto.dtype: DT_STRING
	tensor = appendBytes(tensor, 2, appendBytes(nil, 2, appendVarint(nil, 1, 1)))
	tensor = appendBytes(tensor, 8, text) // string_val
	return w.summary(tag, step, "text", appendBytes(nil, 8, tensor))
}

// summary writes an Event with a Summary of one Value: its tag, the plugin that shows it, and the content field.
func (w *Writer) summary(tag string, step int64, plugin string, content []byte) error {
	value := append(appendBytes(nil, 1, tag), content...)
	metadata := appendBytes(nil, 1, appendBytes(nil, 1, plugin)) // SummaryMetadata.plugin_data.plugin_name
	value = appendBytes(value, 9, metadata)
	return w.event(step, 5, appendBytes(nil, 1, value))
}

// event writes an Event: wall_time, step and one field more.
func (w *Writer) event(step int64, field uint64, content []byte) error {
	e := appendDouble(nil, 1, float64(w.now().UnixNano())/1e9)
	if step != 0 {
		e = appendVarint(e, 2, step)
	}
	return writeRecord(w.buffer, appendBytes(e, field, content))
}

// Flush hands everything written so far to the operating system.
func (w *Writer) Flush() error { return w.buffer.Flush() }

// Close flushes and closes the file.
func (w *Writer) Close() error { return errors.Join(w.buffer.Flush(), w.file.Close()) }
