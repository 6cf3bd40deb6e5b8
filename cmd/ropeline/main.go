// Command ropeline runs the parts of Ropeline, each as a process of its own
// or all together (ropeline dev), and brings the small tools around them.
//
// It is the only place that knows every part: it reads flags, opens
// connections, wires parts to each other and decides the exit code. Nothing
// is decided here about lines, sales or money.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	// Both are caught even if a background shell started us with SIGINT
	// ignored. They stay caught: make passes a SIGTERM on that we had already.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// commands is the command line. Every flag may also come from the environment
// as ROPELINE_<FLAG>; a flag wins over the environment, that over a default.
type commands struct {
	Log string `enum:"debug,info,warn,error" default:"info" help:"Least level of the log: debug, info, warn or error."`

	Dev          devCommand          `cmd:"" help:"Run everything on this machine, with private Redis and Postgres and a demo sale."`
	Edge         edgeCommand         `cmd:"" help:"Serve fans: pages, places in line, and the way to the booking core."`
	Admission    admissionCommand    `cmd:"" help:"Move the lines, and serve the staff's API."`
	Booking      bookingCommand      `cmd:"" help:"Serve the booking core: holds, orders and tickets."`
	Worker       workerCommand       `cmd:"" help:"Put expired holds back on sale and settle payments left half done."`
	Migrate      migrateCommand      `cmd:"" help:"Bring the database to this program's version."`
	Keygen       keygenCommand       `cmd:"" help:"Make keys."`
	Invite       inviteCommand       `cmd:"" help:"Sign invitations to a sale, and print a link for each."`
	Codes        codesCommand        `cmd:"" help:"Make, keep, revoke and count presale codes."`
	Venue        venueCommand        `cmd:"" help:"Check, keep and print the seat maps of venues."`
	Account      accountCommand      `cmd:"" help:"Organizers' own accounts at the payment provider."`
	Plan         planCommand         `cmd:"" help:"Plans that organizers choose: what they pay the platform, and what they get for it."`
	Program      programCommand      `cmd:"" help:"Make a sale and its performances, with their prices, from a file."`
	Reserve      reserveCommand      `cmd:"" help:"Take units off sale, and release them."`
	Publish      publishCommand      `cmd:"" help:"Make a sale and its terms, as the database has them, known to the line."`
	VerifyDraw   verifyDrawCommand   `cmd:"" help:"Check a published draw: nobody slipped in or out, and the order is the one drawn."`
	VerifyTerms  verifyTermsCommand  `cmd:"" help:"Check terms sheets: who signed them, and that one follows the other."`
	VerifyLedger verifyLedgerCommand `cmd:"" help:"Check a copy of a sale's public ledger: nothing was rewritten, and the sums hold."`
	Ops          opsCommand          `cmd:"" help:"Steer sales, as their SRE."`
	Check        checkCommand        `cmd:"" help:"Check a configuration and a running installation."`
}

// console is what a command talks to.
type console struct {
	out io.Writer // results
	log *slog.Logger
}

// errReported ends a command that has already printed what is wrong.
var errReported = errors.New("reported")

// execute runs one command line and returns the exit code: 0 done, 1 failed,
// 2 not understood, 3 somebody else was faster (ropeline ops).
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	var cmds commands
	asked := -1 // what --help wants to exit with
	parser, err := kong.New(&cmds,
		kong.Name("ropeline"),
		kong.Description("Ropeline: a fair line in front of a sale, and the sale behind it."),
		kong.DefaultEnvars("ROPELINE"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { asked = code }),
	)
	if err != nil {
		fmt.Fprintln(errOut, "ropeline:", err)
		return 1
	}
	parsed, err := parser.Parse(args)
	if asked >= 0 {
		return asked
	}
	if err != nil {
		fmt.Fprintf(errOut, "ropeline: %v\nhint: ropeline %s--help\n", err, firstWord(args))
		return 2
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cmds.Log)); err != nil {
		fmt.Fprintln(errOut, "ropeline:", err)
		return 2
	}
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level}))
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(console{out: out, log: log})
	if err == nil {
		return 0
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintln(errOut, "ropeline:", err)
		if h, ok := errors.AsType[interface {
			error
			hint() string
		}](err); ok && h.hint() != "" {
			fmt.Fprintln(errOut, "hint:", h.hint())
		}
	}
	// Not whatever has an ExitCode: that of a server that was killed is -1.
	if e, ok := errors.AsType[*opsError](err); ok {
		return e.ExitCode()
	}
	return 1
}

// firstWord is the command that a hint is about, with a space.
func firstWord(args []string) string {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return ""
	}
	return args[0] + " "
}
