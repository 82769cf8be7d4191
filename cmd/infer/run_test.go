package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/tensor"
)

// answer is the JSON document of `infer run`.
type answer struct {
	Outputs     map[string]*tensor.Tensor `json:"outputs"`
	Engine      string                    `json:"engine"`
	MS          float64                   `json:"ms"`
	Predictions []struct {
		Image string `json:"image"`
		Top   []struct {
			Label string  `json:"label"`
			Score float64 `json:"score"`
		} `json:"top"`
	} `json:"predictions"`
}

func TestRunTakesEachKindOfSource(t *testing.T) {
	needTensorFlow(t)
	npy, npz := filepath.Join(t.TempDir(), "x.npy"), filepath.Join(t.TempDir(), "x.npz")
	x := tensor.Must(tensor.Of([]float32{1, 2, 3}, 1, 3))
	writeTensor(t, npy, func(f *os.File) error { return tensor.WriteNPY(f, x) })
	writeTensor(t, npz, func(f *os.File) error {
		return tensor.WriteNPZ(f, false, tensor.Named{Name: "x", Tensor: x}, tensor.Named{Name: "other", Tensor: x})
	})
	for _, source := range []string{
		"json:[[1,2,3]]", "x=json:[[1,2,3]]", npy, "x=" + npy, npz + ":x",
		write(t, "x.json", "[[1, 2, 3]]"), write(t, "x.csv", "1,2,3\n"), write(t, "head.csv", "a,b,c\n1,2,3\n"),
	} {
		t.Run(source, func(t *testing.T) {
			var got answer
			inferJSON(t, &got, "run", models+"outputs/saved_model", "--input", source, "--json")
			require.Equal(t, "tensorflow", got.Engine)
			require.Len(t, got.Outputs, 5)
			require.True(t, got.Outputs["total"].Equal(tensor.Scalar(float32(6))), "%v", got.Outputs["total"])
		})
	}
}

func writeTensor(t *testing.T, path string, write func(*os.File) error) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, write(f))
	require.NoError(t, f.Close())
}

func TestRunRefusesWrongInputs(t *testing.T) {
	needTensorFlow(t)
	wide := filepath.Join(t.TempDir(), "wide.npy")
	writeTensor(t, wide, func(f *os.File) error {
		return tensor.WriteNPY(f, tensor.Must(tensor.Of([]float64{0.1, 0.2, 0.3}, 1, 3)))
	})
	for _, test := range []struct {
		name  string
		input []string
		says  []string
	}{
		{"missing", nil, []string{"input x", "missing", "float32 [?,3]"}},
		{"unknown name", []string{"z=json:[1]"}, []string{"z", "x (float32 [?,3])"}},
		{"twice", []string{"json:[[1,2,3]]", "json:[[1,2,3]]"}, []string{"twice"}},
		{"rank", []string{"json:[1,2,3]"}, []string{"[3]", "[?,3]"}},
		{"dimension", []string{"json:[[1,2]]"}, []string{"[1,2]", "[?,3]"}},
		{"ragged", []string{"json:[[1,2,3],[1]]"}, []string{"ragged"}},
		{"words", []string{`json:[["a","b","c"]]`}, []string{"float32"}},
		{"loses digits", []string{wide}, []string{"float64", "float32"}},
		{"missing file", []string{"no/such.npy"}, []string{"no/such.npy"}},
		{"kind", []string{"x=model.exe"}, []string{".exe", ".npy"}},
		{"damaged", []string{write(t, "x.npy", "\x93NUMPY\x01\x00")}, []string{"x.npy"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := []string{"run", models + "outputs/saved_model"}
			for _, s := range test.input {
				args = append(args, "--input", s)
			}
			code, out, errs := infer(args...)
			require.Equal(t, cli.Failed, code, errs)
			require.Empty(t, out)
			require.Regexp(t, `^infer: run: [^\n]+\n$`, errs)
			for _, s := range test.says {
				require.Contains(t, errs, s)
			}
		})
	}
}

func TestRunSplitsIntoBatches(t *testing.T) {
	needTensorFlow(t)
	rows := write(t, "rows.csv", "1,2,3\n4,5,6\n7,8,9\n10,11,12\n13,14,15\n")
	var whole, split answer
	inferJSON(t, &whole, "run", models+"outputs/saved_model", "--input", rows, "--fetch", "scores", "--json")
	inferJSON(t, &split, "run", models+"outputs/saved_model", "--input", rows, "--fetch", "scores", "--json", "--batch", "2")
	require.Equal(t, tensor.Shape{5, 3}, whole.Outputs["scores"].Shape())
	require.NoError(t, tensor.AllClose(split.Outputs["scores"], whole.Outputs["scores"], 1e-6, 0))

	code, _, errs := infer("run", models+"outputs/saved_model", "--input", rows, "--batch", "2")
	require.Equal(t, cli.Failed, code)
	require.Contains(t, errs, "total") // a scalar over the whole input
}

func TestRunWritesEachKindOfFile(t *testing.T) {
	needTensorFlow(t)
	for _, ext := range []string{".npz", ".npy", ".json", ".csv"} {
		t.Run(ext, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "y"+ext)
			code, out, errs := infer("run", models+"outputs/saved_model", "--input", "json:[[1,2,3]]", "--fetch", "scores", "--output", path)
			require.Equal(t, cli.Done, code, errs)
			require.Empty(t, out)
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Positive(t, info.Size())
		})
	}
	code, _, errs := infer("run", models+"outputs/saved_model", "--input", "json:[[1,2,3]]", "--output", filepath.Join(t.TempDir(), "y.npy"))
	require.Equal(t, cli.Failed, code)
	require.Contains(t, errs, "--fetch")
	code, _, errs = infer("run", models+"outputs/saved_model", "--input", "json:[[1,2,3]]", "--output", "/no/such/directory/y.npz")
	require.Equal(t, cli.Failed, code)
	require.Contains(t, errs, "/no/such/directory")
}

func TestRunNamesTheBestClasses(t *testing.T) {
	needTensorFlow(t)
	var got answer
	inferJSON(t, &got, "run", models+"outputs/saved_model", "--input", "json:[[1,2,3],[9,2,3]]", "--fetch", "scores", "--top", "2", "--labels", write(t, "labels.txt", "low\nmiddle\nhigh\n"), "--json")
	require.Len(t, got.Predictions, 2)
	require.Len(t, got.Predictions[0].Top, 2)
	require.Equal(t, "high", got.Predictions[0].Top[0].Label)
	require.Equal(t, "low", got.Predictions[1].Top[0].Label)

	code, _, errs := infer("run", models+"outputs/saved_model", "--input", "json:[[1,2,3]]", "--fetch", "scores", "--labels", write(t, "short.txt", "one\n"))
	require.Equal(t, cli.Failed, code)
	require.Contains(t, errs, "1 labels for 3 classes")

	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "saved_model"), os.DirFS(models+"outputs/saved_model")))
	for text, want := range map[string]string{"low\nmiddle\nhigh\n": "high", "one\n": "2"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "labels.txt"), []byte(text), 0o600))
		inferJSON(t, &got, "run", filepath.Join(dir, "saved_model"), "--input", "json:[[1,2,3]]", "--fetch", "scores", "--top", "1", "--json")
		require.Equal(t, want, got.Predictions[0].Top[0].Label, "labels.txt beside the model, if it fits")
	}
	extra := filepath.Join(dir, "saved_model", "assets.extra")
	require.NoError(t, os.Mkdir(extra, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(extra, "labels.txt"), []byte("a\nb\nc\n"), 0o600))
	inferJSON(t, &got, "run", filepath.Join(dir, "saved_model"), "--input", "json:[[1,2,3]]", "--fetch", "scores", "--top", "1", "--json")
	require.Equal(t, "c", got.Predictions[0].Top[0].Label, "labels.txt in the model")
}

func TestRunChoosesTheSignature(t *testing.T) {
	needTensorFlow(t)
	var got answer
	inferJSON(t, &got, "run", models+"signatures/saved_model", "--signature", "between", "--input", "low=json:1.5", "--input", "high=json:4", "--json")
	require.True(t, got.Outputs["difference"].Equal(tensor.Scalar(float32(7.5))))
	code, _, errs := infer("run", models+"signatures/saved_model", "--input", "json:1")
	require.Equal(t, cli.Failed, code)
	require.Contains(t, errs, "between, plus, times")
}

func TestRunReadsDigits(t *testing.T) {
	needTensorFlow(t)
	for _, model := range []string{"mlp/saved_model", "mlp/saved_model_tf1", "mlp/frozen.pb", "mlp/my_mnist.h5", "mlp/my_mnist.keras", "cnn/saved_model", "cnn/my_mnist.h5"} {
		t.Run(model, func(t *testing.T) {
			var got answer
			inferJSON(t, &got, "run", digits+model, digits+"digits", "--top", "1", "--batch", "7", "--json")
			require.Len(t, got.Predictions, 20)
			right := 0
			for _, p := range got.Predictions {
				require.Len(t, p.Top, 1)
				if filepath.Base(p.Image)[:1] == p.Top[0].Label { // 3_1.png shows a 3
					right++
				}
			}
			require.GreaterOrEqual(t, right, 19)
		})
	}
}

func TestRunNeedsToKnowHowImagesAreWanted(t *testing.T) {
	needTensorFlow(t)
	photo := digits + "digits/3_0.png"
	code, _, errs := infer("run", models+"convolutions/saved_model", photo)
	require.Equal(t, cli.Failed, code)
	for _, choice := range []string{"--preprocess", "mnist", "tf", "torch", "caffe", "unit", "none"} {
		require.Contains(t, errs, choice)
	}
	var got answer
	inferJSON(t, &got, "run", models+"convolutions/saved_model", photo, "--preprocess", "unit", "--json")
	require.Equal(t, tensor.Shape{1, 5}, got.Outputs["output_0"].Shape())

	code, _, errs = infer("run", models+"convolutions/saved_model", photo, "--preprocess", "sepia")
	require.Equal(t, cli.Usage, code)
	require.Contains(t, errs, "sepia")
	code, _, errs = infer("run", models+"convolutions/saved_model", photo, "--preprocess", "mnist")
	require.Equal(t, cli.Failed, code)
	require.Contains(t, errs, "28×28")
	code, _, errs = infer("run", models+"strings/saved_model", photo)
	require.Equal(t, cli.Failed, code)
	require.Contains(t, errs, "one image input")
	code, _, errs = infer("run", digits+"mlp/saved_model", write(t, "broken.png", "\x89PNG\r\n\x1a\nno more"))
	require.Equal(t, cli.Failed, code)
	require.Contains(t, errs, "broken.png")
}

func TestRunRefusesWhatReachesFiles(t *testing.T) {
	needTensorFlow(t)
	model := models + "reaches_files/saved_model"
	code, out, errs := infer("run", model, "--input", "json:[1]")
	require.Equal(t, cli.Failed, code)
	require.Empty(t, out)
	require.Contains(t, errs, "WriteFile")
	require.Contains(t, errs, "--trust")
	code, _, errs = infer("run", model, "--input", "json:[1]", "--trust")
	require.Equal(t, cli.Done, code, errs)
}
