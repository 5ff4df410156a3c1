// Package gorgoniatrainer is a trainer.Trainer on Gorgonia, the only importer of
// it. Networks:
//
//   - recipe: Conv2d(3, 64, 3, padding=1), ReLU, MaxPool2d(2),
//     AdaptiveAvgPool2d(pool_to, default 56), flattened in C, H, W order, one
//     Linear per task. At 112x112 the average pool does nothing, at 224x224 it
//     is a 2x2 mean, so one set of weights serves all sizes.
//   - small_cnn, for small images: Conv2d(3, 16), Conv2d(16, 32), each 3x3 with
//     padding 1, ReLU and MaxPool2d(2); AdaptiveAvgPool2d(pool_to, default 4,
//     which does nothing at 16x16); one Linear per task.
//
// Graph and virtual machine are Gorgonia's; the operations are this package's
// own, fused so that activations stay in cache. State names its tensors as this
// module's state_dict would, so weights go both ways:
//
//	class Recipe(torch.nn.Module):                  # small_cnn: conv1, conv2
//	    def __init__(self, tasks):                  # {"shape": 10, "type": 5}
//	        super().__init__()
//	        self.conv = torch.nn.Conv2d(3, 64, 3, padding=1)
//	        for t, n in tasks.items():              # a ModuleDict refuses the name "type"
//	            setattr(self, f"head_{t}", torch.nn.Linear(64 * 56 * 56, n))
//
// conv.weight [64, 3, 3, 3], conv.bias [64], head_<task>.weight [classes,
// 64*56*56], head_<task>.bias [classes]; and in addition optimizer.exp_avg.<name>,
// optimizer.exp_avg_sq.<name>, optimizer.step.<name> and optimizer.epochs.
//
// All results are the same bytes for any number of workers, and with or without
// the assembly that amd64 processors with AVX2 use.
//
// The files, each of which refers only to those below it:
//
//	networks.go       the models: Recipe and SmallCNN
//	trainer.go        Trainer: a step, a prediction, state
//	config.go         which configurations it takes
//	graph.go          a Gorgonia graph for one shape of images: its nodes, its runs
//	loss.go           the loss of all tasks, as an operation
//	pass.go           the inputs and results of one run of a graph, apart from the pixels
//	model.go          weights, gradients and the memory of activations
//	op.go             operations as Gorgonia calls them
//	value.go          values on memory that isn't Gorgonia's
//	heads.go          the linear layers of all tasks, as one
//	conv.go           convolution, ReLU and both pools, fused; their gradients
//	average.go        the windows of the adaptive average pool
//	parallel.go       goroutines, and memory that is reused
//	kernels_amd64.go  the inner loops in assembly, where the processor has AVX2
//	kernels_other.go  the same elsewhere
//	kernels.go        the inner loops in plain Go, which both are compared with
package gorgoniatrainer
