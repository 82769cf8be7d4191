package mnist

import (
	"fmt"
	"math"
	"slices"
)

// minContrast is how far the digit must stand out: the share of the range from black to white. Pencil on paper has 0.2.
const minContrast = 0.08

// ink returns how much of each pixel is the digit, 0..1: what differs from the background, in the direction in which more
// differs, between a threshold for the noise and full ink.
func (p plane) ink() (plane, error) {
	ground := p.background()
	contrast, dark, light := newPlane(p.w, p.h), 0.0, 0.0
	for i, v := range p.v {
		d := v - ground.v[i]
		contrast.v[i] = d
		// The cube tells the few pixels of a digit from the many of paper that is not quite even.
		if cube := float64(d) * float64(d) * float64(d); d < 0 {
			dark -= cube
		} else {
			light += cube
		}
	}
	for i, d := range contrast.v {
		if dark > light {
			// Ink takes away a share of the light that falls on the paper, however much that is.
			contrast.v[i] = max(-d/max(ground.v[i], 16), 0)
		} else {
			contrast.v[i] = max(d/255, 0)
		}
	}
	t, full := otsu(contrast.v)
	if full < minContrast {
		return plane{}, fmt.Errorf("%w: the image is blank: nothing differs from its background by more than %.0f %%", ErrNoDigit, 100*full)
	}
	low, high := t/2, (t+full)/2
	for i, v := range contrast.v {
		contrast.v[i] = min(max((v-low)/(high-low), 0), 1)
	}
	return contrast, nil
}

// otsu returns the threshold that divides values into two classes with the greatest variance between them (N. Otsu, 1979),
// and the mean of the upper class.
func otsu(values []float32) (threshold, upper float32) {
	const bins = 256
	var count [bins]float64
	top := slices.Max(values)
	if top <= 0 {
		return 0, 0
	}
	sum := 0.0
	for _, v := range values {
		i := min(int(v/top*bins), bins-1)
		count[i]++
		sum += float64(i)
	}
	total, below, sumBelow, best := float64(len(values)), 0.0, 0.0, -1.0
	for i, n := range count[:bins-1] {
		below += n
		sumBelow += n * float64(i)
		if below == 0 || below == total {
			continue
		}
		lower, higher := sumBelow/below, (sum-sumBelow)/(total-below)
		if variance := below * (total - below) * (higher - lower) * (higher - lower); variance > best {
			best = variance
			threshold, upper = float32(i+1)/bins*top, float32(higher+0.5)/bins*top
		}
	}
	return threshold, upper
}

// background returns a surface of third degree in x and y that lies on most of the picture: fitted by least squares again
// and again, with less weight for what is far off (Tukey's biweight). The first rounds fit one of second degree, and the margins
// first: that one cannot bend to a dark table beside the paper.
func (p plane) background() plane {
	step := max(1, max(p.w, p.h)/48) // a sample of the pixels is enough
	var samples []sample
	for y := 0; y < p.h; y += step {
		for x := 0; x < p.w; x += step {
			u, v := p.at(x, y)
			samples = append(samples, sample{terms(u, v), float64(p.v[y*p.w+x]), 0.05 + max(u*u*u*u, v*v*v*v)})
		}
	}
	var surface polynomial
	for round := range 16 {
		coefficients := 6 // of the second degree
		if round >= 8 {
			coefficients = len(surface)
		}
		surface = fit(samples, coefficients)
		reweight(samples, surface)
	}
	ground := newPlane(p.w, p.h)
	for y := range p.h {
		for x := range p.w {
			ground.v[y*p.w+x] = float32(min(max(surface.dot(terms(p.at(x, y))), 0), 255))
		}
	}
	return ground
}

// at returns the place of a pixel as -1..1.
func (p plane) at(x, y int) (u, v float64) {
	return 2*(float64(x)+0.5)/float64(p.w) - 1, 2*(float64(y)+0.5)/float64(p.h) - 1
}

// polynomial holds the coefficients of 1, x, y, x², xy, y², x³, x²y, xy², y³, or those ten values.
type polynomial [10]float64

func terms(u, v float64) polynomial {
	return polynomial{1, u, v, u * u, u * v, v * v, u * u * u, u * u * v, u * v * v, v * v * v}
}

func (a polynomial) dot(b polynomial) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

type sample struct {
	terms  polynomial
	value  float64
	weight float64
}

// reweight gives each sample Tukey's biweight of its distance from the surface.
func reweight(samples []sample, surface polynomial) {
	off := make([]float64, len(samples))
	for i, s := range samples {
		off[i] = math.Abs(s.value - surface.dot(s.terms))
	}
	sorted := slices.Sorted(slices.Values(off))
	width := 6 * max(sorted[len(sorted)/2], 2) // the median is 0 for a drawing; 2 levels are nothing
	for i := range samples {
		r := off[i] / width
		near := max(1-r*r, 0)
		samples[i].weight = 1e-6 + near*near
	}
}

// fit returns the first n coefficients of weighted least squares: it solves the normal equations by elimination.
func fit(samples []sample, n int) (surface polynomial) {
	var m [len(surface)][len(surface) + 1]float64
	for i := range n {
		m[i][i] = 1e-6 // keeps a picture of one line solvable
	}
	for _, s := range samples {
		for i, a := range s.terms[:n] {
			a *= s.weight
			for j, b := range s.terms[:n] {
				m[i][j] += a * b
			}
			m[i][n] += a * s.value
		}
	}
	for i := range n { // the matrix is positive definite: no pivots are needed
		for k := range n {
			if k == i {
				continue
			}
			f := m[k][i] / m[i][i]
			for j := i; j <= n; j++ {
				m[k][j] -= f * m[i][j]
			}
		}
	}
	for i := range n {
		surface[i] = m[i][n] / m[i][i]
	}
	return surface
}
