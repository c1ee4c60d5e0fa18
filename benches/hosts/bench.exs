# The benchmark's Elixir host: what a call costs a program that uses bindings/elixir as its people
# do, with maps for what it sends and gets. Run by benches/hosts.rs with `mix run` in the binding's
# own project, built for production.
#
# bench.exs CONFIG takes commands on its standard input, a line each, and answers each with a line
# of JSON: "echo_latency N" executes one call after the other, "echo_throughput N" has 64 processes
# that do, "tool_latency N" lets Python call an Elixir function. It knows nothing of the other hosts.

defmodule Bench do
  alias SnakepitBridge.API.{Frameworks, Sessions, Tools}

  @in_flight 64
  # A hundred bytes, as JSON.
  @message %{"text" => String.slice(String.duplicate("0123456789", 7), 0, 62), "number" => 1}

  def serve(config) do
    {:ok, _} = SnakepitBridge.Supervisor.start_link(name: Bench.Bridge, config: config)
    :ok = Frameworks.await_ready(Bench.Bridge, "default", 1, 60_000)
    session = Sessions.open!(platform: Bench.Bridge)
    {:ok, _} = Tools.register(Bench.Bridge, "echo", fn arguments -> arguments end)
    IO.puts(~s({"ready": true}))
    Enum.each(IO.stream(:stdio, :line), &obey(session, String.split(&1)))
  end

  defp obey(session, [command, calls]) do
    calls = String.to_integer(calls)

    case command do
      "echo_latency" -> latency(session, calls)
      "echo_throughput" -> throughput(session, calls)
      "tool_latency" -> tool_latency(session, calls)
    end
  end

  defp echo(session) do
    {:ok, @message} = Frameworks.execute(session, "python", "echo", %{"value" => @message})
  end

  defp latency(session, calls) do
    times =
      Enum.map(1..calls, fn _ ->
        began = System.monotonic_time(:nanosecond)
        echo(session)
        (System.monotonic_time(:nanosecond) - began) / 1000
      end)

    sorted = Enum.sort(times)
    print(Enum.at(sorted, div(calls, 2)), Enum.at(sorted, div(calls * 99, 100)))
  end

  defp throughput(session, calls) do
    share = div(calls, @in_flight)
    began = System.monotonic_time(:nanosecond)

    1..@in_flight
    |> Enum.map(fn _ -> Task.async(fn -> Enum.each(1..share, fn _ -> echo(session) end) end) end)
    |> Task.await_many(:infinity)

    seconds = (System.monotonic_time(:nanosecond) - began) / 1.0e9
    IO.puts(~s({"calls_per_s": #{share * @in_flight / seconds}}))
  end

  defp tool_latency(session, calls) do
    arguments = %{"text" => "0123456789", "number" => 1}
    parameters = %{"name" => "echo", "arguments" => arguments, "calls" => calls}
    {:ok, times} = Frameworks.execute(session, "python", "tool_times", parameters)
    print(times["p50_us"], times["p99_us"])
  end

  defp print(p50_us, p99_us), do: IO.puts(~s({"p50_us": #{p50_us}, "p99_us": #{p99_us}}))
end

[config] = System.argv()
Bench.serve(config)
