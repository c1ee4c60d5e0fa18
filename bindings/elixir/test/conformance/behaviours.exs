defmodule SnakepitBridge.Conformance.Behaviours do
  # What the tools of scenarios do, as functions of arguments and invocation.
  # Owns: the list "what tools do". Must not know: steps; the runner gets entries and held calls.

  alias SnakepitBridge.API.{Frameworks, Tools}
  alias SnakepitBridge.Conformance.Documents

  # `write` writes an entry; calls that hold are told to `runner`.
  def function(name, %{"hold" => true}, _write, runner) do
    fn arguments ->
      send(runner, {:held, name, self(), arguments})

      receive do
        {:release, value} -> value
      end
    end
  end

  def function(name, does, write, _runner) do
    does = Documents.to_host(does)

    fn arguments, invocation ->
      write.(["tool", name, Documents.from_host(arguments)])
      act(does, arguments, invocation)
    end
  end

  defp act(%{"chunks" => chunks, "return" => value}, _arguments, invocation) do
    if invocation.stream?, do: Enum.each(chunks, &(:ok = Tools.emit(invocation, &1)))
    {:ok, value}
  end

  defp act(%{"return" => value}, _arguments, _invocation), do: {:ok, value}
  defp act(%{"echo" => true}, arguments, _invocation), do: {:ok, arguments}
  defp act(%{"raise" => text}, _arguments, _invocation), do: raise(text)

  defp act(%{"fail" => failure}, _arguments, _invocation) do
    status = String.downcase(failure["status"] || "TOOL_FAILED")
    keys = for key <- ["message", "details", "retryable"], is_map_key(failure, key), do: key
    given = for key <- keys, do: {String.to_atom(key), failure[key]}
    {:error, [{:status, String.to_atom(status)} | given]}
  end

  # In this process the call is nested in the invocation by itself.
  defp act(%{"execute" => call}, _arguments, invocation) do
    {:ok, session} = Tools.session(invocation)
    Frameworks.execute(session, "python", call["operation"], call["parameters"] || %{})
  end
end
