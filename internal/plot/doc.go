// Package plot draws training curves, confusion matrices, contact sheets and the figures of the documentation as PNG, with gonum's plot.
//
//	size, err := plot.Write(w, plot.Panel{Title: "loss", X: "epoch", Series: []plot.Series{{Name: "training", Points: points}}})
//
// Panels stand side by side, 480 × 360 pixels each.
//
// # Caveats
//
// Text is set in Liberation Sans, which comes with the library: Latin, Greek and Cyrillic letters. The name of a class that needs
// others is replaced by its number: #3 for the third.
package plot
