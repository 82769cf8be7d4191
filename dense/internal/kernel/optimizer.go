package kernel

import "math"

// Rule names an optimizer's update rule.
type Rule int

// The rules and the order of their constants.
const (
	SGD      Rule = iota // rate
	Momentum             // rate, momentum
	Nesterov             // rate, momentum
	RMSprop              // rate, rho, 1-rho, epsilon
	Adagrad              // rate, epsilon
	Adam                 // alpha, 1-beta1, 1-beta2, epsilon, decay
	ruleCount
)

// Slots reports which of m and v the rule reads and writes; the other may be any slice of the length of w.
func (r Rule) Slots() (m, v bool) {
	return r == Momentum || r == Nesterov || r == Adam, r == RMSprop || r == Adagrad || r == Adam
}

// Update applies a rule to weights w with gradient g and slots m and v, with k the constants of the rule:
//
//	SGD:      w -= rate*g
//	Momentum: m = m*momentum - rate*g; w += m
//	Nesterov: m = m*momentum - rate*g; w += m*momentum - rate*g
//	RMSprop:  v = v*rho + g²*(1-rho); w -= rate*g / sqrt(v+epsilon)
//	Adagrad:  v += g²; w -= rate*g / sqrt(v+epsilon)
//	Adam:     m += (g-m)*(1-beta1); v += (g²-v)*(1-beta2); w = w*decay - alpha*m/(sqrt(v)+epsilon)
//
// The formulas are those of keras/src/optimizers.
func Update(r Rule, w, g, m, v []float32, k *[8]float32) {
	n := vectors(len(w))
	if n > 0 {
		_, _, _ = g[len(w)-1], m[len(w)-1], v[len(w)-1]
		simd.update[r](&w[0], &g[0], &m[0], &v[0], n, k)
	}
	for i := n; i < len(w); i++ {
		r.one(&w[i], g[i], &m[i], &v[i], k)
	}
}

func (r Rule) one(w *float32, g float32, m, v *float32, k *[8]float32) {
	root := func(x float32) float32 { return float32(math.Sqrt(float64(x))) }
	switch r {
	case SGD:
		*w -= k[0] * g
	case Momentum:
		*m = *m*k[1] - k[0]*g
		*w += *m
	case Nesterov:
		*m = *m*k[1] - k[0]*g
		*w += *m*k[1] - k[0]*g
	case RMSprop:
		*v = *v*k[1] + g*g*k[2]
		*w -= k[0] * g / root(*v+k[3])
	case Adagrad:
		*v += g * g
		*w -= k[0] * g / root(*v+k[1])
	case Adam:
		*m += (g - *m) * k[1]
		*v += (g*g - *v) * k[2]
		*w = *w*k[4] - k[0]**m/(root(*v)+k[3])
	}
}
