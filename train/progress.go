package train

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// barWidth is the number of characters between a bar's brackets.
const barWidth = 24

// Bar returns functions for Config.OnProgress and Config.OnEpoch that draw a bar on a terminal, one line an epoch: the share
// done, samples a second, the time left in all epochs, and the epoch's figures when it is over.
func Bar(w io.Writer) (onProgress func(Progress), onEpoch func(Epoch) error) {
	var last Progress
	var drawn time.Time
	onProgress = func(p Progress) {
		last = p
		if time.Since(drawn) < 100*time.Millisecond {
			return
		}
		drawn = time.Now()
		fmt.Fprintf(w, "\r%s\x1b[K", p)
	}
	onEpoch = func(e Epoch) error {
		var figures []string
		for _, k := range (History{e}).Keys() {
			if k != "learning_rate" {
				figures = append(figures, fmt.Sprintf("%s %.4f", k, e.Logs[k]))
			}
		}
		_, err := fmt.Fprintf(w, "\repoch %d/%d  %s  %.2f s\x1b[K\n", e.Epoch, last.Epochs, strings.Join(figures, "  "), e.Seconds)
		return err
	}
	return onProgress, onEpoch
}

// String returns the line that Bar draws: "epoch 2/10 [=====>    ] 54% 812345 samples/s, 5s left, loss 0.1234".
func (p Progress) String() string {
	done := float64(p.Samples) / float64(max(p.Of, 1))
	full := min(int(done*barWidth), barWidth)
	bar := strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full)
	rate := float64(p.Samples) / max(p.Seconds, 1e-9)
	left := time.Duration(float64((p.Epochs-p.Epoch+1)*p.Of-p.Samples) / max(rate, 1e-9) * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("epoch %d/%d [%s] %3.0f%% %.0f samples/s, %v left, loss %.4f", p.Epoch, p.Epochs, bar, 100*done, rate, left, p.Loss)
}
