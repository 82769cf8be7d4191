//go:build !unix

package finetune

import "errors"

func makePipe(string) error { return errors.ErrUnsupported }
