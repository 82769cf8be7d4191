package finetune

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

func TestMistakes(t *testing.T) {
	classes := []string{"a", "b", "c"}
	outputs := []float32{
		0.9, 0.05, 0.05, // right
		0.2, 0.5, 0.3,
		0.1, 0.2, 0.7,
		0.5, 0.3, 0.2,
	}
	wrong := mistakes([]float32{0, 2, 1, 1}, outputs, 3, []int32{4, 5, 6, 7}, classes, []picture{3: nil, 4: nil, 5: file{path: "five"}, 6: digit{}, 7: file{path: "seven"}})
	for i := range wrong {
		wrong[i].picture = nil
		wrong[i].Probability = float64(float32(wrong[i].Probability))
	}
	require.Equal(t, []Mistake{
		{Sample: 6, Label: "b", Predicted: "c", Probability: float64(float32(0.7)), label: 1, predicted: 2},
		{Sample: 5, Image: "five", Label: "c", Predicted: "b", Probability: 0.5, label: 2, predicted: 1},
		{Sample: 7, Image: "seven", Label: "b", Predicted: "a", Probability: 0.5, label: 1, predicted: 0},
	}, wrong, "the surest first, then in their order")

	wrong = mistakes([]float32{0, 1, 1, 0}, []float32{0.75, 0.25, 0.75, 0.25}, 1, []int32{0, 1, 2, 3}, classes, nil)
	require.Equal(t, []Mistake{
		{Sample: 0, Label: "a", Predicted: "b", Probability: 0.75, predicted: 1},
		{Sample: 1, Label: "b", Predicted: "a", Probability: 0.75, label: 1},
	}, wrong, "a sigmoid")

	many := make([]int32, 100)
	require.Empty(t, mistakes(make([]float32, 100), make([]float32, 100), 1, many, classes, nil))
	zeros := make([]float32, 200)
	for i := range 100 {
		zeros[2*i+1] = 1
	}
	require.Len(t, mistakes(make([]float32, 100), zeros, 2, many, classes, nil), worstCount)
}

// same writes the same images into a folder for each class: nothing that a model could tell the classes by.
func same(t *testing.T, classes ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, class := range classes {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, class), 0o755))
		for i := range 8 {
			m := image.NewNRGBA(image.Rect(0, 0, 40, 20))
			for k := range 800 {
				m.SetNRGBA(k%40, k/40, color.NRGBA{uint8(30 * i), uint8(k), 90, 120})
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%d.png", i)))
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, m))
			require.NoError(t, f.Close())
		}
	}
	return dir
}

func TestContactSheet(t *testing.T) {
	hostile := `<script>alert("1")</script>`
	hostile = strings.ReplaceAll(hostile, "/", "∕") // no folder's name has the real one
	o := options(t, same(t, "고양이", hostile, "plain"))
	o.ImageSize, o.ValidationSplit = 8, 0.5
	r := run(t, o)
	require.NotEmpty(t, r.Validation.Worst)
	for i, m := range r.Validation.Worst {
		require.Contains(t, m.Image, m.Label)
		require.NotEqual(t, m.Label, m.Predicted)
		require.True(t, i == 0 || m.Probability <= r.Validation.Worst[i-1].Probability)
	}
	f, err := os.Open(filepath.Join(o.Out, "worst.png"))
	require.NoError(t, err)
	defer f.Close()
	_, err = png.Decode(f)
	require.NoError(t, err)

	text, err := os.ReadFile(filepath.Join(o.Out, "report.html"))
	require.NoError(t, err)
	html := string(text)
	require.NotContains(t, html, "<script")
	require.NotContains(t, html, "ZgotmplZ", "nothing that the template refused")
	require.NotContains(t, html, "http:")
	require.NotContains(t, html, "https:")
	require.Contains(t, html, "고양이")
	require.Contains(t, html, "&lt;script&gt;alert(&#34;1&#34;)")
	require.Equal(t, len(r.Validation.Worst), strings.Count(html, `src="data:image/jpeg;base64,`))
	require.Contains(t, html, `src="data:image/png;base64,`, "the curves")

	o.Data = t.TempDir()
	squares(t, o.Data, 20)
	r = run(t, o)
	require.Empty(t, r.Validation.Worst)
	require.NoFileExists(t, filepath.Join(o.Out, "worst.png"), "of the run before")
}

func TestMistakesThatCannotBeShown(t *testing.T) {
	torn := filepath.Join(t.TempDir(), "torn.png")
	require.NoError(t, os.WriteFile(torn, []byte("\x89PNG\r\n\x1a\n"), 0o600))
	pixels := tensor.Must(tensor.Of([]uint8{0, 255, 0, 255, 9, 9}, 1, 2, 3))
	m := &Measures{Worst: []Mistake{{picture: file{path: "nowhere"}}, {picture: file{path: torn}}, {}, {picture: digit{pixels, 0, nil}}, {picture: digit{pixels, 1, nil}}}}
	small := m.thumbnails()
	for i, shown := range []bool{false, false, false, true, false} {
		require.Equal(t, shown, small[i] != nil, "%d", i)
	}
	require.Nil(t, (*Measures)(nil).thumbnails())
}

// The report of every kind of run is whole.
func TestPage(t *testing.T) {
	read := func(o Options) string {
		run(t, o)
		text, err := os.ReadFile(filepath.Join(o.Out, "report.html"))
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(string(text), "</html>\n"))
		require.NotContains(t, string(text), "ZgotmplZ")
		return string(text)
	}
	o := options(t, blobs(t))
	o.Tune, o.Epochs = 3, 4
	html := read(o)
	for _, want := range []string{"<h1>out</h1>", "Confusion matrix", "<th>green</th>", "Classes, on the validation samples", "Trials", "trial 1", "<th>learning_rate</th>", "<th>hidden</th>", "blobs.csv"} {
		require.Contains(t, html, want)
	}

	var table strings.Builder
	table.WriteString("x,y\n")
	for i := range 120 {
		fmt.Fprintf(&table, "%d,class%d\n", i%30, i%30)
	}
	o = options(t, filepath.Join(t.TempDir(), "many.csv"))
	require.NoError(t, os.WriteFile(o.Data, []byte(table.String()), 0o600))
	html = read(o)
	require.Contains(t, html, `alt="confusion matrix" src="data:`, "too many classes for a table")

	table.Reset()
	table.WriteString("x,y\n")
	for i := range 100 {
		fmt.Fprintf(&table, "%d,%.2f\n", i, float64(i)*1.5)
	}
	require.NoError(t, os.WriteFile(o.Data, []byte(table.String()), 0o600))
	html = read(o)
	require.Contains(t, html, "validation R²")
	require.NotContains(t, html, "Confusion matrix")
}

func TestSettingsOfThePage(t *testing.T) {
	p := &page{Report: &Report{Engine: "native"}}
	p.Hyperparameters = Default().Hyperparameters
	o := Default()
	o.ClassWeights = "balanced"
	require.NoError(t, p.settings(&o))
	listed := map[string]string{}
	for _, s := range p.Settings {
		listed[s[0]] = s[1]
	}
	text, err := json.Marshal(p.Hyperparameters)
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(text, &all))
	for name := range all {
		require.Contains(t, listed, name)
	}
	require.Equal(t, "adam", listed["optimizer"])
	require.Equal(t, "[128]", listed["hidden"])
	require.Equal(t, "0.001", listed["learning_rate"])
	require.Equal(t, "balanced", listed["class_weights"])
}
