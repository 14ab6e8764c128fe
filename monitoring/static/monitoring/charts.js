// Draws the two charts of a holding from the JSON in the page; without it the tables below say the same.
"use strict";
(() => {
  const source = document.getElementById("chart-data");
  const library = window.LightweightCharts;
  if (!source || !library) return;
  const data = JSON.parse(source.textContent);
  const colours = getComputedStyle(document.documentElement);
  const colour = (name) => colours.getPropertyValue("--" + name).trim();
  const drawn = [];
  let up, down, roles;

  function open(id, times) {
    const place = document.getElementById(id);
    if (!place) return null;
    place.hidden = false;
    const chart = library.createChart(place, {
      autoSize: true,
      layout: {
        background: { type: "solid", color: colour("card") },
        textColor: colour("quiet"),
        fontFamily: getComputedStyle(document.body).fontFamily,
        // Its logo would bring a <style> of its own, which the page's policy forbids: the page itself names the maker.
        attributionLogo: false,
      },
      grid: { vertLines: { color: colour("line") }, horzLines: { color: colour("line") } },
      rightPriceScale: { borderColor: colour("line") },
      timeScale: { borderColor: colour("line"), timeVisible: times, secondsVisible: false },
      localization: { locale: document.documentElement.lang || "zh-CN" },
      handleScroll: { mouseWheel: false },
      handleScale: { mouseWheel: false },
    });
    drawn.push(chart);
    return chart;
  }

  function lines(series) {
    for (const level of data.levels) {
      series.createPriceLine({
        price: Number(level.price),
        color: roles[level.role],
        lineWidth: 1,
        lineStyle: level.role === "plain" ? 1 : 2,
        axisLabelVisible: true,
        title: level.label,
      });
    }
  }

  // Prices that lie far away from all that traded would press the chart flat; the table has them.
  const withLevels = (share) => (original) => {
    const own = original();
    if (!own || !own.priceRange) return own;
    const { minValue, maxValue } = own.priceRange;
    const room = Math.max((maxValue - minValue) / 2, maxValue * share);
    const near = data.levels.map((one) => Number(one.price)).filter((one) => one > minValue - room && one < maxValue + room);
    return { ...own, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } };
  };

  function marks(series, found, times) {
    const shown = found
      .filter((one) => times.has(one.time))
      .map((one) => ({
        time: one.time,
        position: one.side === "buy" ? "belowBar" : "aboveBar",
        shape: one.fill ? (one.side === "buy" ? "arrowUp" : "arrowDown") : "circle",
        color: one.side === "buy" ? up : down,
        size: one.fill ? 1.4 : 0.7,
        text: one.fill ? one.short : "",
      }));
    library.createSeriesMarkers(series, shown);
  }

  // The axis is the whole session, so that what nobody recorded takes its room.
  function wholeDay(points) {
    const known = new Map(points.map((one) => [one.time, one]));
    const day = points[0].time - (points[0].time % 86400);
    const minutes = (from, to) => Array.from({ length: to - from + 1 }, (_, number) => day + (from + number) * 60);
    const session = [...minutes(570, 690), ...minutes(780, 900)];
    const times = [...new Set([...session, ...known.keys()])].sort((one, other) => one - other);
    // A hole is no slope: a point has the colour of the line after it, and over more than five unknown minutes there is none.
    let unknown = -Infinity;
    const shown = times.reverse().map((time) => {
      const point = known.get(time);
      const holed = unknown > 5;
      unknown = point ? 0 : unknown + 1;
      if (!point) return { time };
      return holed ? { ...point, color: "transparent" } : point;
    });
    return shown.reverse();
  }

  function daily() {
    const chart = open("daily-chart", false);
    const bars = data.bars.map((one) => ({
      time: one.time, open: Number(one.open), high: Number(one.high), low: Number(one.low), close: Number(one.close),
    }));
    const series = chart.addSeries(library.CandlestickSeries, {
      upColor: up, downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down,
      autoscaleInfoProvider: withLevels(0.1),
    });
    series.setData(bars);
    lines(series);
    marks(series, data.days, new Set(bars.map((one) => one.time)));
    chart.timeScale().setVisibleLogicalRange({ from: Math.min(bars.length - 20, Math.max(-1, bars.length - 61)), to: bars.length + 3 });
  }

  function minutely() {
    const chart = open("minute-chart", true);
    const points = data.minutes.map((one) => ({ time: one.time, value: Number(one.value) }));
    const series = chart.addSeries(library.LineSeries, {
      color: colour("link"), lineWidth: 2, autoscaleInfoProvider: withLevels(0.02),
    });
    const day = wholeDay(points);
    series.setData(day);
    lines(series);
    // A deed in a minute without a price stands at the one before it.
    const moments = points.map((one) => one.time);
    const placed = data.deeds.map((one) => ({
      ...one, time: moments.filter((at) => at <= one.time).pop() ?? moments[0],
    }));
    marks(series, placed, new Set(moments));
    chart.timeScale().setVisibleLogicalRange({ from: -8, to: day.length + 6 });
  }

  function draw() {
    drawn.splice(0).forEach((chart) => chart.remove());
    up = colour("up");
    down = colour("down");
    roles = { stop: down, profit: up, plain: colour("quiet") };
    if (data.bars.length) daily();
    if (data.minutes.length) minutely();
  }

  draw();
  // At dusk a browser may turn dark: what is drawn has the colours of its moment.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
