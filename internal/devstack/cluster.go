package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/dial"
)

// Cluster is a running Redis Cluster: masters with one replica each.
type Cluster struct {
	URL   string
	nodes []*node
}

// node is one redis-server of a cluster.
type node struct {
	addr string
	bus  int // port on which the nodes talk to each other
	*child
	client redis.UniversalClient
}

const (
	clusterSlots = 16384
	// failureAfter is how long a node is silent before the others think that it
	// has failed; a replica takes over about a second later.
	failureAfter = 1500 * time.Millisecond
	formTimeout  = 30 * time.Second
)

// StartCluster runs a cluster in the folder and returns when every slot is
// served and every replica follows. Its data is volatile.
func (f *Folder) StartCluster(ctx context.Context, masters int) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, formTimeout)
	defer cancel()
	c := &Cluster{}
	for i := range 2 * masters {
		n, err := f.startNode(ctx, i)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.nodes = append(c.nodes, n)
	}
	if err := c.form(ctx, masters); err != nil {
		return nil, errors.Join(fmt.Errorf("forming a cluster: %w", err), c.Close())
	}
	query := url.Values{}
	for _, n := range c.nodes[1:] {
		query.Add("addr", n.addr)
	}
	c.URL = "redis+cluster://" + c.nodes[0].addr + "?" + query.Encode()
	return c, nil
}

func (f *Folder) startNode(ctx context.Context, i int) (*node, error) {
	program, err := findRedis()
	if err != nil {
		return nil, err
	}
	name := "redis-" + strconv.Itoa(i)
	dir := filepath.Join(f.path, name)
	if err := f.as.makeDir(dir); err != nil {
		return nil, fmt.Errorf("making Redis's folder: %w", err)
	}
	ports, err := freePorts()
	if err != nil {
		return nil, err
	}
	n := &node{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), bus: ports[1]}
	n.child, err = start(command{
		program: program, as: f.as, lock: f.lock, log: filepath.Join(f.path, name+".log"), onDeath: syscall.SIGTERM,
		args: []string{
			"--port", strconv.Itoa(ports[0]), "--cluster-port", strconv.Itoa(n.bus), "--bind", "127.0.0.1", "--dir", dir,
			"--maxmemory-policy", "noeviction", "--save", "", "--appendonly", "no",
			"--cluster-enabled", "yes", "--cluster-node-timeout", strconv.FormatInt(failureAfter.Milliseconds(), 10),
			"--cluster-require-full-coverage", "no", // a lost master stops its own slots only
			"--cluster-replica-validity-factor", "0", // a replica that lags is better than none: the line is put together again
			"--repl-diskless-sync-delay", "0",
		},
	})
	if err != nil {
		return nil, err
	}
	if n.client, err = dial.Redis("redis://" + n.addr); err != nil {
		return nil, errors.Join(err, n.Kill())
	}
	err = n.ready(ctx, func(ctx context.Context) error { return n.client.Ping(ctx).Err() })
	if err != nil {
		return nil, errors.Join(err, n.Kill())
	}
	return n, nil
}

// freePorts finds two ports that nobody listens on now.
func freePorts() (ports [2]int, err error) {
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// form makes one cluster of nodes that do not know each other: the first are
// masters, each of the others the replica of one.
func (c *Cluster) form(ctx context.Context, masters int) error {
	first := c.nodes[0]
	for i, n := range c.nodes {
		if err := n.client.Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
			return err
		}
		if i < masters {
			from, to := i*clusterSlots/masters, (i+1)*clusterSlots/masters-1
			if err := n.client.Do(ctx, "cluster", "addslotsrange", from, to).Err(); err != nil {
				return err
			}
		}
		host, port, _ := net.SplitHostPort(n.addr)
		if i > 0 {
			if err := first.client.Do(ctx, "cluster", "meet", host, port, n.bus).Err(); err != nil {
				return err
			}
		}
	}
	if err := c.await(ctx, "cluster", "info", "cluster_known_nodes:"+strconv.Itoa(len(c.nodes))+"\r"); err != nil {
		return err
	}
	for i, n := range c.nodes[masters:] {
		id, err := c.nodes[i].client.Do(ctx, "cluster", "myid").Text()
		if err != nil {
			return err
		}
		if err := n.client.Do(ctx, "cluster", "replicate", id).Err(); err != nil {
			return err
		}
	}
	for _, n := range c.nodes[masters:] {
		if err := n.await(ctx, "info", "replication", "master_link_status:up"); err != nil {
			return err
		}
	}
	return c.await(ctx, "cluster", "info", "cluster_state:ok")
}

// await asks all nodes until each says what is wanted.
func (c *Cluster) await(ctx context.Context, command, part, wanted string) error {
	for _, n := range c.nodes {
		if err := n.await(ctx, command, part, wanted); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) await(ctx context.Context, command, part, wanted string) error {
	return n.ready(ctx, func(ctx context.Context) error {
		text, err := n.client.Do(ctx, command, part).Text()
		if err == nil && !strings.Contains(text, wanted) {
			err = fmt.Errorf("%s does not say %s", n.addr, strings.TrimSpace(wanted))
		}
		return err
	})
}

// find returns the node of an address.
func (c *Cluster) find(addr string) (*node, error) {
	for _, n := range c.nodes {
		if n.addr == addr {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node of the cluster listens on %s", addr)
}

// Kill ends the node of this address at once, as a crash would.
func (c *Cluster) Kill(addr string) error {
	n, err := c.find(addr)
	if err != nil {
		return err
	}
	return n.Kill()
}

// Signal sends a signal to the node of this address: SIGSTOP lets it hang,
// SIGCONT go on.
func (c *Cluster) Signal(addr string, sig syscall.Signal) error {
	n, err := c.find(addr)
	if err != nil {
		return err
	}
	return syscall.Kill(n.pid, sig)
}

// Kill ends the server at once, as a crash would.
func (n *node) Kill() error { return n.stop(10 * time.Second) }

// Close ends all nodes. Nothing is stored, so there is nothing to be written.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.Kill(), n.client.Close())
	}
	return errors.Join(errs...)
}
