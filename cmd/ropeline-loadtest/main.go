// Command ropeline-loadtest walks simulated fans through a sale and judges
// what they saw. Without --target it starts a private stack for itself and
// stops it afterwards.
//
// It exits with 0 if every promised invariant held, 1 if one did not, and 2 if
// the run could not be done.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/ropeline/ropeline/loadtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The exit codes.
const (
	allHeld = iota
	notHeld
	notRun
)

// flags is the command line.
type flags struct {
	Profile string `default:"default" help:"Who comes when, and to what sale; --list names them."`
	List    bool   `help:"List the profiles."`
	Fans    int    `placeholder:"N" help:"How many fans come, instead of the profile's number."`
	Seed    uint64 `placeholder:"N" help:"Repeat the behaviour of an earlier run; 0 draws one."`
	JSON    string `placeholder:"FILE" type:"path" help:"Also write the report as JSON."`
	Casual  bool   `help:"Only let fans come, wait and buy until stopped; judge nothing. Needs --target."`

	Start string `placeholder:"FILE" type:"path" help:"The ropeline program to start a private stack with; without it and --target, the one beside this program."`

	Target      string `placeholder:"URL" help:"Run against this edge instead. Nobody else may buy there meanwhile."`
	Sale        string `default:"demo" help:"The sale to go to at --target."`
	Cap         int    `placeholder:"N" help:"How many may be admitted at once at --target."`
	Booking     string `placeholder:"URL" help:"The booking core's own address at --target, to be probed too."`
	Postgres    string `placeholder:"DSN" help:"The database of --target, for the audit."`
	Redis       string `placeholder:"URL" help:"Redis of --target, for the inventory check."`
	CheckBinary string `placeholder:"FILE" type:"path" help:"The ropeline program that compares the inventories; without it the one that was started."`
}

func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	var f flags
	asked := -1 // what --help wants to exit with
	parser, err := kong.New(&f, kong.Name("ropeline-loadtest"),
		kong.Description("Simulated fans for a Ropeline sale, and a judge of what they saw."),
		kong.Writers(out, errOut), kong.Exit(func(code int) { asked = code }))
	if err == nil {
		_, err = parser.Parse(args)
	}
	if asked >= 0 {
		return asked
	}
	if err != nil {
		fmt.Fprintf(errOut, "ropeline-loadtest: %v\nhint: ropeline-loadtest --help\n", err)
		return notRun
	}
	log := slog.New(slog.NewTextHandler(errOut, nil))
	code, err := f.run(ctx, out, log)
	if err != nil {
		fmt.Fprintln(errOut, "ropeline-loadtest:", err)
		return notRun
	}
	return code
}

func (f *flags) run(ctx context.Context, out io.Writer, log *slog.Logger) (int, error) {
	if f.List {
		for _, p := range loadtest.Profiles() {
			fmt.Fprintf(out, "%-12s %s\n", p.Name, p.About)
		}
		return allHeld, nil
	}
	options, err := f.options(log)
	if err != nil {
		return notRun, err
	}
	switch {
	case f.Casual:
		return allHeld, loadtest.Casual(ctx, options)
	case f.Target != "":
		return f.judge(ctx, options, out)
	}
	return f.private(ctx, options, out)
}

func (f *flags) options(log *slog.Logger) (loadtest.Options, error) {
	profile, err := loadtest.FindProfile(f.Profile)
	if err != nil {
		return loadtest.Options{}, err
	}
	if f.Casual {
		if f.Target == "" {
			return loadtest.Options{}, errors.New("--casual needs --target")
		}
		profile = loadtest.CasualProfile()
	}
	if f.Fans > 0 {
		profile = profile.WithFans(f.Fans)
	}
	if f.Target != "" {
		if profile.NeedsStack() {
			return loadtest.Options{}, errors.New("only a private stack is killed, paused and made to forget: the profile cannot be used with --target")
		}
		profile.Demo.Cap = f.Cap
	}
	seed := f.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	return loadtest.Options{Profile: profile, Seed: seed, Check: f.CheckBinary, Log: log, Access: loadtest.Access{
		Edge: f.Target, Booking: f.Booking, Redis: f.Redis, Postgres: f.Postgres, Sale: f.Sale}}, nil
}

// private runs against a stack of its own and stops it, come what may.
func (f *flags) private(ctx context.Context, o loadtest.Options, out io.Writer) (code int, err error) {
	program := f.Start
	if program == "" {
		self, err := os.Executable()
		if err != nil {
			return notRun, fmt.Errorf("finding the program beside this one: %w", err)
		}
		program = filepath.Join(filepath.Dir(self), "ropeline")
	}
	if o.Check == "" {
		o.Check = program
	}
	o.Log.Info("starting a private stack", "program", program, "profile", o.Profile.Name, "seed", o.Seed)
	stack, err := loadtest.StartStack(ctx, program, o.Profile.Demo, o.Log)
	if err != nil {
		return notRun, err
	}
	o.Stack, o.Access = stack, stack.Access
	code, err = f.judge(ctx, o, out)
	if err != nil {
		err = fmt.Errorf("%w; the stack's log ends:\n%s", err, stack.Tail())
	}
	if closing := stack.Close(); closing != nil {
		return notRun, errors.Join(err, closing)
	}
	return code, err
}

func (f *flags) judge(ctx context.Context, o loadtest.Options, out io.Writer) (int, error) {
	report, err := loadtest.Run(ctx, o)
	if err != nil {
		return notRun, err
	}
	if err := report.Text(out); err != nil {
		return notRun, fmt.Errorf("writing the report: %w", err)
	}
	if f.JSON != "" {
		if err := f.store(report); err != nil {
			return notRun, err
		}
	}
	if !report.Passed {
		return notHeld, nil
	}
	return allHeld, nil
}

func (f *flags) store(report *loadtest.Report) (err error) {
	file, err := os.Create(f.JSON)
	if err != nil {
		return fmt.Errorf("storing the report: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return report.JSON(file)
}
