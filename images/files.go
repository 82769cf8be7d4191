package images

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Extensions are the endings of the file names that Expand and Classes take from a folder, in lower case.
var extensions = []string{".png", ".jpg", ".jpeg", ".gif", ".bmp"}

func isImageName(name string) bool {
	return !strings.HasPrefix(name, ".") && slices.Contains(extensions, strings.ToLower(filepath.Ext(name)))
}

// Expand returns the image files that the arguments name, in the order of the arguments: a file is itself, a folder stands
// for the image files in it (PNG, JPEG, GIF, BMP by their endings, not those in its folders), a glob such as "digits/*.png"
// for what it matches; the last two in sorted order. What names no file is an error.
func Expand(args ...string) ([]string, error) {
	var paths []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err == nil && info.IsDir():
			list, err := imagesIn(arg)
			if err != nil {
				return nil, err
			}
			paths = append(paths, list...)
		case err == nil:
			paths = append(paths, arg)
		case !strings.ContainsAny(arg, "*?["):
			return nil, err
		default:
			list, err := filepath.Glob(arg)
			if err != nil {
				return nil, fmt.Errorf("%w: pattern %q: %w", ErrOptions, arg, err)
			}
			list = slices.DeleteFunc(list, isDirectory)
			if len(list) == 0 {
				return nil, fmt.Errorf("no file matches %s: %w", arg, fs.ErrNotExist)
			}
			paths = append(paths, list...) // Glob sorts
		}
	}
	return paths, nil
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// imagesIn returns the image files in a folder, sorted.
func imagesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); isImageName(e.Name()) && !isDirectory(path) {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no image files (%s) in %s: %w", strings.Join(extensions, ", "), dir, fs.ErrNotExist)
	}
	return paths, nil
}

// Classes reads a folder with one sub-folder of images per class, as keras.utils.image_dataset_from_directory does: the
// classes are the sub-folders' names in sorted order, paths the image files below them (at any depth, each class sorted), and labels[i]
// the place of paths[i]'s class. Hidden files and folders are skipped; a class without images is an error.
func Classes(dir string) (classes, paths []string, labels []int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, e := range entries {
		folder := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") || !isDirectory(folder) {
			continue
		}
		before := len(paths)
		// The trailing separator walks into a folder that is a symbolic link.
		err := filepath.WalkDir(folder+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") { // such as .ipynb_checkpoints, with copies of images
				return fs.SkipDir
			}
			if err == nil && isImageName(entry.Name()) && !isDirectory(path) {
				paths, labels = append(paths, filepath.Clean(path)), append(labels, len(classes))
			}
			return err
		})
		if err != nil {
			return nil, nil, nil, err
		}
		if len(paths) == before {
			return nil, nil, nil, fmt.Errorf("no image files (%s) for class %s: %w", strings.Join(extensions, ", "), folder, fs.ErrNotExist)
		}
		classes = append(classes, e.Name())
	}
	if len(classes) == 0 {
		return nil, nil, nil, fmt.Errorf("%s has no folders; one for each class is needed: %w", dir, fs.ErrNotExist)
	}
	return classes, paths, labels, nil
}
