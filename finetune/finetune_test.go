package finetune

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// blobs writes a table of three classes around three points; the second is scarce.
func blobs(t *testing.T) string {
	t.Helper()
	r := train.NewRandom(1, 1)
	var b strings.Builder
	b.WriteString("a,b,colour\n")
	for i := range 240 {
		class := []int{0, 2, 0, 2, 0, 2, 1, 0}[i%8]
		x, y := float64(3*class)+r.Normal(), float64(4*(class%2))+r.Normal()
		fmt.Fprintf(&b, "%.3f,%.3f,%s\n", x, y*1000, []string{"red", "green", "blue"}[class])
	}
	path := filepath.Join(t.TempDir(), "blobs.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// options are small: fast, and deterministic as everything is.
func options(t *testing.T, data string) Options {
	o := Default()
	o.Data, o.Out = data, filepath.Join(t.TempDir(), "out")
	o.Hidden, o.Epochs, o.Batch, o.LearningRate, o.ValidationSplit = []int{16}, 12, 16, 0.01, 0.25
	return o
}

func run(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(context.Background(), o)
	require.NoError(t, err)
	return r
}

func TestRunOnATable(t *testing.T) {
	o := options(t, blobs(t))
	o.ClassWeights = "balanced"
	r := run(t, o)
	require.Equal(t, []string{"blue", "green", "red"}, r.Data.Classes)
	require.Equal(t, 240, r.Data.Train+r.Data.Validation)
	require.InDelta(t, 60, r.Data.Validation, 1)
	require.Greater(t, r.Validation.Accuracy, 0.9)
	require.Len(t, r.Validation.PerClass, 3)
	require.Equal(t, r.Data.Validation, r.Validation.PerClass[0].Support+r.Validation.PerClass[1].Support+r.Validation.PerClass[2].Support)
	require.InDelta(t, r.History[r.BestEpoch-1].Logs["val_accuracy"], r.Validation.Accuracy, 1e-9)
	require.Nil(t, r.Test)

	for _, name := range []string{"labels.txt", "history.csv", "curves.png", "confusion.png", "report.html", "report.json", "checkpoint/training.npz",
		"saved_model/saved_model.pb", "saved_model/assets.extra/labels.txt", "model.keras"} {
		info, err := os.Stat(filepath.Join(o.Out, name))
		require.NoError(t, err)
		require.NotZero(t, info.Size(), name)
	}
	text, err := os.ReadFile(filepath.Join(o.Out, "labels.txt"))
	require.NoError(t, err)
	require.Equal(t, "blue\ngreen\nred\n", string(text))
	text, err = os.ReadFile(filepath.Join(o.Out, "report.json"))
	require.NoError(t, err)
	var back map[string]any
	require.NoError(t, json.Unmarshal(text, &back))
	for _, key := range []string{"data", "hyperparameters", "history", "validation", "overfitting", "engine", "seconds"} {
		require.Contains(t, back, key)
	}
	for _, part := range []string{"train", "validation"} {
		files, err := filepath.Glob(filepath.Join(o.Out, "tensorboard", part, "events.out.tfevents.*"))
		require.NoError(t, err)
		require.Len(t, files, 1)
	}
	require.Equal(t, r.History[0].Logs, run(t, o).History[0].Logs, "the same seed")
}

func TestRunOnNumbers(t *testing.T) {
	r := train.NewRandom(2, 1)
	var b strings.Builder
	b.WriteString("\ufeffprice,rooms,noise\n")
	for range 400 {
		rooms := r.Normal()
		fmt.Fprintf(&b, "%.1f,%.3f,7\n", 50000+20000*rooms*rooms+r.Normal()*500, rooms)
	}
	path := filepath.Join(t.TempDir(), "houses.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	o := options(t, path)
	o.Target, o.Epochs = "price", 60
	report := run(t, o)
	require.Nil(t, report.Data.Classes)
	require.Greater(t, report.Validation.R2, 0.9)
	require.Less(t, report.Validation.MAE, 5000.0, "in the target's own unit")
	require.Greater(t, report.Validation.MAE, 300.0, "in the target's own unit")
	require.NoFileExists(t, filepath.Join(o.Out, "labels.txt"))
	require.NoFileExists(t, filepath.Join(o.Out, "confusion.png"))
}

// squares writes images of a class a folder: a bright square in another corner.
func squares(t *testing.T, dir string, perClass int) {
	t.Helper()
	r := train.NewRandom(3, 1)
	for class, name := range []string{"left", "right"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		for i := range perClass {
			m := image.NewGray(image.Rect(0, 0, 16, 16))
			for y := 4; y < 12; y++ {
				for x := range 8 {
					m.SetGray(x+8*class, y, color.Gray{uint8(150 + r.IntN(100))})
				}
			}
			var b bytes.Buffer
			require.NoError(t, png.Encode(&b, m))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name, fmt.Sprintf("%02d.png", i)), b.Bytes(), 0o600))
		}
	}
}

func TestRunOnImages(t *testing.T) {
	dir := t.TempDir()
	squares(t, dir, 20)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "left", "torn.png"), []byte("\x89PNG\r\n\x1a\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "left", "notes.txt"), []byte("not an image"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "right", "photo.WebP"), []byte("RIFF"), 0o600))
	var log bytes.Buffer
	o := options(t, dir)
	o.ImageSize, o.Log = 8, &log
	var counted []int
	o.OnFeatures = func(done, all int) { counted = append(counted, done, all) }
	r := run(t, o)
	require.Len(t, counted, 2*41)
	require.Equal(t, []int{41, 41}, counted[80:], "the torn one too")
	require.Equal(t, []string{"left", "right"}, r.Data.Classes)
	require.Equal(t, 40, r.Data.Train+r.Data.Validation)
	require.Equal(t, []string{filepath.Join(dir, "right", "photo.WebP"), filepath.Join(dir, "left", "torn.png")}, r.Data.Skipped)
	require.Contains(t, log.String(), "torn.png")
	require.Contains(t, log.String(), "photo.WebP: PNG, JPEG, GIF and BMP files are read")
	require.Equal(t, 1.0, r.Validation.Accuracy)

	for i := range 10 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "right", fmt.Sprintf("torn%d.png", i)), nil, 0o600))
	}
	_, err := Run(context.Background(), o)
	require.ErrorIs(t, err, ErrData)
	require.ErrorContains(t, err, "images cannot be read")
}

// One grey image among colours, or one that is torn among grey ones, does not settle how all are read.
func TestGray(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, m image.Image) string {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, m))
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
		return path
	}
	grey, colour := write("grey.png", image.NewGray(image.Rect(0, 0, 2, 2))), write("colour.png", image.NewRGBA(image.Rect(0, 0, 2, 2)))
	deep := write("deep.png", image.NewGray16(image.Rect(0, 0, 2, 2)))
	torn := filepath.Join(dir, "torn.png")
	require.NoError(t, os.WriteFile(torn, nil, 0o600))
	require.True(t, gray([]string{torn, grey, deep}))
	require.False(t, gray([]string{grey, grey, colour}))
	require.False(t, gray([]string{torn}))
}

func TestRunOnSplitFolders(t *testing.T) {
	dir := t.TempDir()
	squares(t, filepath.Join(dir, "train"), 10)
	squares(t, filepath.Join(dir, "val"), 4)
	squares(t, filepath.Join(dir, "test"), 5)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "test", "left"))) // a test set may lack a class
	o := options(t, dir)
	r := run(t, o)
	require.Equal(t, DataReport{Classes: []string{"left", "right"}, Train: 20, Validation: 8, Test: 5}, r.Data)
	require.Equal(t, [][]int{{0, 0}, {0, 5}}, r.Test.Confusion)
}

// An interrupted run, resumed, ends with the weights and the figures of one that was not.
func TestResume(t *testing.T) {
	whole := options(t, blobs(t))
	whole.Dropout = 0.2
	want := run(t, whole)
	broken := whole
	broken.Out = filepath.Join(t.TempDir(), "out")
	crash := errors.New("crash")
	for _, at := range []int{2, 5} {
		broken.Resume = true
		broken.OnEpoch = func(e train.Epoch) error {
			if e.Epoch == at {
				return crash
			}
			return nil
		}
		_, err := Run(context.Background(), broken)
		require.ErrorIs(t, err, crash)
		require.NoFileExists(t, filepath.Join(broken.Out, "report.json"))
	}
	broken.OnEpoch = nil
	got := run(t, broken)
	require.Equal(t, want.Validation, got.Validation)
	require.Equal(t, weightsIn(t, whole.Out), weightsIn(t, broken.Out))

	broken.Dropout = 0.3
	_, err := Run(context.Background(), broken)
	require.ErrorIs(t, err, train.ErrCheckpoint)
	broken.Resume = false
	run(t, broken)
}

func weightsIn(t *testing.T, out string) map[string]*tensor.Tensor {
	t.Helper()
	file, err := os.Open(filepath.Join(out, "checkpoint", "training.npz"))
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	list, err := tensor.ReadNPZ(file, info.Size())
	require.NoError(t, err)
	all := map[string]*tensor.Tensor{}
	for _, a := range list {
		if a.Name != "checkpoint" { // it holds the seconds too
			all[a.Name] = a.Tensor
		}
	}
	return all
}

func TestTune(t *testing.T) {
	o := options(t, blobs(t))
	o.Tune, o.Given, o.Epochs = 6, []string{"batch", "dropout"}, 4
	r := run(t, o)
	require.Len(t, r.Trials, 6)
	best, epochs := 0, 0
	for i, trial := range r.Trials {
		require.Equal(t, i+1, trial.Trial)
		require.Equal(t, 16, trial.Hyperparameters.Batch, "given")
		require.Zero(t, trial.Hyperparameters.Dropout, "given")
		if trial.Best {
			best = i
		}
		epochs += trial.Epochs
	}
	require.Equal(t, o.Hidden, r.Trials[0].Hyperparameters.Hidden, "the first is the default")
	require.Equal(t, r.Trials[best].Hyperparameters, r.Hyperparameters)
	require.Equal(t, 4, r.Trials[best].Epochs)
	require.Less(t, epochs, 6*4, "the worse half is dropped early")
	require.FileExists(t, filepath.Join(o.Out, "trials.png"))

	o.Resume = true
	again := run(t, o)
	require.Equal(t, r.Trials, again.Trials, "resumed, nothing is tried again")
	left, err := filepath.Glob(filepath.Join(o.Out, "checkpoint", "trials-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestWrongOptions(t *testing.T) {
	table := blobs(t)
	for want, change := range map[string]func(o *Options){
		"no data":                    func(o *Options) { o.Data = "" },
		"no directory":               func(o *Options) { o.Out = "" },
		"validation split":           func(o *Options) { o.ValidationSplit = 1 },
		"patience":                   func(o *Options) { o.Patience = -1 },
		"class weights":              func(o *Options) { o.ClassWeights = "heavy" },
		"image size":                 func(o *Options) { o.ImageSize = -1 },
		"trials are compared":        func(o *Options) { o.Tune, o.ValidationSplit = 4, 0 },
		"engine":                     func(o *Options) { o.Engine = "steam" },
		"epochs":                     func(o *Options) { o.Epochs = 0 },
		"optimizer":                  func(o *Options) { o.Optimizer = "wobble" },
		"loss \"wobble\"":            func(o *Options) { o.Loss = "wobble" },
		"does not suit classes":      func(o *Options) { o.Loss, o.Data = "mean_squared_error", folderOf(t) },
		"needs 2 classes":            func(o *Options) { o.Loss = "binary_crossentropy" },
		"label smoothing":            func(o *Options) { o.LabelSmoothing = 2 },
		"dropout":                    func(o *Options) { o.Dropout = 1 },
		"hidden layer 2 has 0 units": func(o *Options) { o.Hidden = []int{4, 0} },
		"no column \"size\"":         func(o *Options) { o.Target = "size" },
		"unknown activation":         func(o *Options) { o.Activation = "wobble" },
		"activation step":            func(o *Options) { o.Activation = "step" },
		"activation gelu_tanh":       func(o *Options) { o.Activation = "gelu_tanh" },
		"L1 +Inf":                    func(o *Options) { o.L1 = math.Inf(1) },
		"1000000000 units":           func(o *Options) { o.Hidden = []int{1_000_000_000} },
		"100000 threads":             func(o *Options) { o.Threads = 100000 },
		"unknown device \"tpu\"":     func(o *Options) { o.Device = "tpu" },
		"unknown device \"gpu:\"":    func(o *Options) { o.Device = "gpu:" },
		"the CPU":                    func(o *Options) { o.Device = "gpu:1" },
		"learning rate -1":           func(o *Options) { o.LearningRate = -1 },
		"-1 threads":                 func(o *Options) { o.Threads = -1 },
	} {
		o := options(t, table)
		change(&o)
		_, err := Run(context.Background(), o)
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, ErrOption)
	}
}

func TestRunWithoutAContext(t *testing.T) {
	_, err := Run(nil, options(t, blobs(t))) //nolint:staticcheck // what is tested
	require.ErrorIs(t, err, ErrOption)
}

// What is 0 is in report.json too, and what was left to the optimizer as the number that it chose.
func TestReportHasEveryNumber(t *testing.T) {
	text, err := json.Marshal(&Measures{Confusion: [][]int{{0, 1}, {1, 0}}})
	require.NoError(t, err)
	require.JSONEq(t, `{"loss": 0, "accuracy": 0, "confusion": [[0, 1], [1, 0]]}`, string(text))
	text, err = json.Marshal(Measures{Loss: 1, MSE: 1, MAE: 1})
	require.NoError(t, err)
	require.JSONEq(t, `{"loss": 1, "mse": 1, "mae": 1, "r2": 0}`, string(text))

	o := options(t, blobs(t))
	o.Optimizer, o.LearningRate, o.Epochs = "sgd", 0, 1
	report, err := Run(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 0.01, report.Hyperparameters.LearningRate)
}

func folderOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	squares(t, dir, 3)
	return dir
}

func TestWrongTables(t *testing.T) {
	for name, c := range map[string]struct{ table, want string }{
		"empty":             {"", "it is empty"},
		"only empty lines":  {"\n\r\n\n", "it is empty"},
		"no header":         {"0.5,1,x\n1.5,2,y\n", "put a header above it"},
		"pixels, no header": {"0,0,0,5\n0,0,9,2\n", "put a header above it"},
		"UTF-16":            {"\xff\xfea\x00,\x00b\x00\n\x00", "it is UTF-16"},
		"Latin-1, header":   {"caf\xe9,b\n1,x\n", `the name of column 1, "caf\xe9", is not UTF-8`},
		"Latin-1, label":    {"a,b\n1,x\n2,caf\xe9\n", `line 3, column "b": the label "caf\xe9" is not UTF-8`},
		"a label of lines":  {"a,b\n1,\"x\ny\"\n", "a line break"},
		"decimal commas":    {"a;b\n0,5;x\n", `line 2, column "a": "0,5" is not a number; its decimals must come after a point (the label is column "b")`},
		"a constant target": {"a,b\n1,0.5\n2,0.50\n", "is 0.5 in every row"},
		"a target too big":  {"a,b\n1,0.5\n2,1e39\n", `class "0.5" has 1 training samples`},
		"a gap in numbers":  {"a,b\n" + fractions(40) + "1,n/a\n", `column "b", the target of a regression: row 41: "n/a" is not a number`},
		"minute numbers":    {"a,b\n1e-9,x\n2e-9,y\n3e-9,x\n4e-9,y\n", `column "a" has a standard deviation of`},
		"giant numbers":     {"a,b\n1e20,x\n2e20,y\n3e20,x\n4e20,y\n", `column "a" has a standard deviation of`},
		"no rows":           {"a,b\n", "a header and no rows"},
		"one column":        {"a\n1\n", "one column only"},
		"a word":            {"a,b\n1,x\ntwo,y\n", `line 3, column "a": "two" is not a number; make numbers of text first`},
		"a gap":             {"a,b\n1,x\n,y\n", `line 3, column "a": "" is not a number; fill in the missing ones`},
		"NaN":               {"a,b\nNaN,x\n", `"NaN" is not a number; fill in the missing ones`},
		"infinity":          {"a,b\n1,x\n1e39,y\n", `line 3, column "a": "1e39" is too large`},
		"a missing cell":    {"a,b\n1,x\n2\n", "wrong number of fields"},
		"an empty label":    {"a,b\n1,x\n2,\n", "empty label"},
		"one class":         {"a,b\n1,x\n2,x\n", "one class only"},
		"one of a class":    {"a,b\n1,x\n2,x\n3,y\n", `class "y" has 1 training samples`},
		"a stray quote":     {"a,b\n1,\"x\n", "quot"},
		"a huge line":       {"a,b\n1," + strings.Repeat("x", 1<<20), `1 training samples`},
		"all of everything": {"a,b\n1,x\n2,y\n", "has 1 training samples"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.csv")
			require.NoError(t, os.WriteFile(path, []byte(c.table), 0o600))
			_, err := Run(context.Background(), options(t, path))
			require.ErrorIs(t, err, ErrData)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
}

// fractions are rows of a table of two columns.
func fractions(n int) string {
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "%d,%d.5\n", i, i)
	}
	return rows.String()
}

func TestWhatATargetIs(t *testing.T) {
	column := func(cells ...string) string { return "x,y\n1," + strings.Join(cells, "\n2,") + "\n" }
	for name, c := range map[string]struct {
		table, loss string
		classes     []string
	}{
		"words":                {column("b", "a", "b"), "", []string{"a", "b"}},
		"few whole numbers":    {column("10", "2", "2"), "", []string{"2", "10"}},
		"fractions":            {column("0.5", "2", "2"), "", nil},
		"a loss of numbers":    {column("1", "2", "2"), "mae", nil},
		"a loss of classes":    {column("0.5", "1.5", "0.5"), "sparse_categorical_crossentropy", []string{"0.5", "1.5"}},
		"many whole numbers":   {column(strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21")...), "", nil},
		"twenty whole numbers": {column(strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20")...), "", strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20")},
	} {
		d, err := readTable(strings.NewReader(c.table), "", c.loss)
		require.NoError(t, err, name)
		require.Equal(t, c.classes, d.classes, name)
	}
}

func TestTablesAsTheyCome(t *testing.T) {
	for name, table := range map[string]string{
		"semicolons":             "a;b;c\n1;2;x\n3;4;y\n",
		"tabs":                   "a\tb\tc\n1\t2\tx\n3\t4\ty\n",
		"spaces around":          "a, b , c\r\n1, 2, \"x\"\r\n3 ,4 ,y \r\n",
		"a mark, quotes":         "\ufeff\"a\",\"b\",\"c\"\n\"1\",\"2\",\"x\"\n3,4,y\n",
		"other marks in a name":  "a,\"b\",\"c\"\n1,2,\"x\"\n3,4,y\n",
		"empty lines in between": "\na,b,c\n\n1,2,x\n\n3,4,y\n\n",
	} {
		d, err := readTable(strings.NewReader(table), "c", "")
		require.NoError(t, err, name)
		require.Equal(t, []string{"a", "b"}, d.input.columns, name)
		require.Equal(t, []string{"x", "y"}, d.classes, name)
		x, err := tensor.Data[float32](d.training.X)
		require.NoError(t, err, name)
		require.Equal(t, []float32{1, 2, 3, 4}, x, name)
	}
	d, err := readTable(strings.NewReader("a,\"b;;;;\",label\n1,2,1.0\n3,4,0\n5,6,1\n"), "", "")
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1"}, d.classes, "1 and 1.0 are one class; semicolons in quotes part nothing")
	y, err := tensor.Data[int32](d.training.Y)
	require.NoError(t, err)
	require.Equal(t, []int32{1, 0, 1}, y)

	_, err = readTable(strings.NewReader("y,a,y\n1,2,x\n"), "y", "")
	require.ErrorContains(t, err, `two columns are called "y"`)
	_, err = readTable(strings.NewReader("0,1,2\n1,2,x\n"), "", "")
	require.NoError(t, err, "columns that are numbered, as pandas does")
}

// A column far from 0 is scaled in the exported model as in training: Run compares them.
func TestATableFarFromZero(t *testing.T) {
	for target, column := range map[string]func(i int) string{
		"classes":    func(i int) string { return fmt.Sprint("class ", i%2) },
		"a quantity": func(i int) string { return fmt.Sprint(1e6 + float64(i)/100) },
	} {
		var rows strings.Builder
		rows.WriteString("pressure,constant,y\n")
		for i := range 60 {
			fmt.Fprintf(&rows, "%.2f,0.1,%s\n", 101325+float64(i%7)/3+float64(i%2), column(i))
		}
		o := options(t, filepath.Join(t.TempDir(), "t.csv"))
		o.Epochs = 2
		require.NoError(t, os.WriteFile(o.Data, []byte(rows.String()), 0o600))
		_, err := Run(context.Background(), o)
		require.NoError(t, err, target)
	}
}

func FuzzTable(f *testing.F) {
	for _, s := range []string{"a,b\n1,x\n2,y\n", "a,b\n1,0.5\n-2e9,3\n", "\ufeffa,b\r\n1,\"x\"\r\n", "a\n", ",\n,\n", "a,b\n1e400,x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := readTable(strings.NewReader(text), "", "")
		if err != nil {
			return
		}
		require.Equal(t, d.training.Samples(), d.training.Y.Shape()[0])
		if d.classes != nil {
			_, err := labels(d.training, len(d.classes))
			require.NoError(t, err)
		}
		_ = d.standardize(nil)
	})
}
